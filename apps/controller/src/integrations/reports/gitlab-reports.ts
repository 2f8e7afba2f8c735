import { z } from 'zod';
import { ForgeError, type ForgeClient } from './forge-client.js';
import { lineOf, quietMarkdown, type ForgeReporter, type Shipment } from './forge-reporter.js';
import type { Standing } from './report-content.js';

const DESCRIPTION_MAX = 255;

/** GitLab has no word for a lab that failed; "canceled" passes no gate and blames no commit. */
const STATES: Readonly<Record<Standing, string>> = {
  held: 'pending',
  refused: 'canceled',
  queued: 'pending',
  running: 'running',
  passed: 'success',
  failed: 'failed',
  lab: 'canceled',
  canceled: 'canceled',
};

const Note = z.object({ id: z.number().int().positive(), body: z.string().optional() });
/** Notes of a request that are searched for one of ours. */
const NOTES_SEARCHED = '100';

/** A commit status, and for a merge request a note with the report, which later commits of the request update. */
export const GITLAB_REPORTS: ForgeReporter = async (client, shipment) => {
  const { report, content } = shipment;
  const project = ['projects', report.repository];
  try {
    await client.call('POST', [...project, 'statuses', report.commit], {
      state: STATES[content.standing],
      name: report.context,
      target_url: content.url,
      description: lineOf(content.title, DESCRIPTION_MAX),
    });
  } catch (error) {
    // It has this state already.
    if (!(error instanceof ForgeError && error.status === 400 && error.message.includes('Cannot transition')))
      throw error;
  }
  const isSaid = content.standing !== 'queued' && content.standing !== 'running';
  if (report.number === null || !isSaid || shipment.isOutdated) return;
  await putNote(client, [...project, 'merge_requests', String(report.number), 'notes'], shipment);
};

/** An HTML comment, which no one sees: it tells our note from others. */
const markerOf = (context: string): string => `<!-- ${context} -->`;

async function putNote(client: ForgeClient, path: string[], shipment: Shipment): Promise<void> {
  const { report, content, remote } = shipment;
  const marker = markerOf(report.context);
  const body = `${marker}\n**${quietMarkdown(lineOf(content.title, DESCRIPTION_MAX))}**: [${report.context}](${content.url})\n\n${quietMarkdown(content.summary)}`;
  // A sender may have died between the forge's answer and its own record.
  const searched = report.claim > 1 ? () => findNote(client, path, marker) : () => Promise.resolve(null);
  const note = remote.note ?? shipment.earlierNote ?? (await searched());
  if (note !== null) remote.note = note;
  if (remote.note !== undefined) {
    try {
      await client.call('PUT', [...path, remote.note], { body });
      return;
    } catch (error) {
      if (!(error instanceof ForgeError && error.status === 404)) throw error;
      delete remote.note;
    }
  }
  remote.note = String(Note.parse(await client.call('POST', path, { body })).id);
}

async function findNote(client: ForgeClient, path: string[], marker: string): Promise<string | null> {
  const notes = z
    .array(Note)
    .parse(await client.call('GET', path, undefined, { per_page: NOTES_SEARCHED, sort: 'desc' }));
  const own = notes.find(({ body }) => body?.startsWith(marker) === true);
  return own === undefined ? null : String(own.id);
}
