import type { RemoteIds } from '../../schema/integrations.js';
import type { ForgeClient } from './forge-client.js';
import type { ReportContent } from './report-content.js';
import type { ClaimedReport } from './report-outbox.js';

/** A report on its way to a forge. */
export interface Shipment {
  report: ClaimedReport;
  content: ReportContent;
  /** What is known of the forge's things; the reporter adds to it as soon as it knows more, also when it fails later. */
  remote: RemoteIds;
  /** The request's note of an earlier commit; null when there is none. */
  earlierNote: string | null;
  /** A later commit of the request has a report, and so the note. */
  isOutdated: boolean;
}

/**
 * How one kind of forge is told. Telling the same again changes nothing there. Throws ForgeError when the forge does not
 * take it.
 */
export type ForgeReporter = (client: ForgeClient, shipment: Shipment) => Promise<void>;

/** Path segments of `owner/name`. */
export const segmentsOf = (repository: string): string[] => repository.split('/');

/** A line cut to what a forge takes. */
export const lineOf = (text: string, max: number): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1)}…`;
};

/**
 * Markdown that a forge shows as a comment: names of strangers' tests must neither notify people nor give commands, which
 * are lines that begin with a slash.
 */
export const quietMarkdown = (text: string): string =>
  text.replaceAll('@', '@\u200b').replaceAll(/^([ \t>]*)\//gm, '$1\\/');
