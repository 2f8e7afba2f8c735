import { LOG_STREAMS } from '@peerlab/contracts';
import { z } from 'zod';

/**
 * The search part of every page's address. A value that does not fit falls back to its default, so
 * that a broken or old link still opens the page.
 */
const text = z.string().max(2000).optional().catch(undefined);
const line = z.coerce.number().int().min(1).optional().catch(undefined);

export const GridSearch = z.object({
  /** Run id; absent = the newest result of every combination and build. */
  run: z.uuid().optional().catch(undefined),
  /** Regular expression over `suite/test`. */
  q: text,
  /** Folded suites, separated by commas. */
  folded: text,
  /** Open cell: `suite/test@build@combination`. */
  cell: text,
});
export type GridSearch = z.infer<typeof GridSearch>;

export const RunsSearch = z.object({ q: text });
export type RunsSearch = z.infer<typeof RunsSearch>;

export const AttemptSearch = z.object({
  view: z.enum(['evidence', 'log']).optional().catch(undefined),
  stream: z.enum(LOG_STREAMS).optional().catch(undefined),
  /** First and last marked line, from 1. */
  line,
  to: line,
});
export type AttemptSearch = z.infer<typeof AttemptSearch>;

export const MachineSearch = z.object({
  /** Highlighted pair: `provider address~client address`. */
  pair: text,
});
export type MachineSearch = z.infer<typeof MachineSearch>;

export const BuildsSearch = z.object({ q: text });
export type BuildsSearch = z.infer<typeof BuildsSearch>;

export const BuildSearch = z.object({
  /** Numbers of the unfolded patches, separated by commas. */
  open: text,
});
export type BuildSearch = z.infer<typeof BuildSearch>;

export const AdminSearch = z.object({
  tab: z.enum(['tokens', 'deliveries', 'retention']).optional().catch(undefined),
});
export type AdminSearch = z.infer<typeof AdminSearch>;

export const SubmitSearch = z.object({
  template: text,
  /** Run whose YAML is the start. */
  from: z.uuid().optional().catch(undefined),
});
export type SubmitSearch = z.infer<typeof SubmitSearch>;

/** Address text to raw values, all strings; no guessing of types as the schemas convert. */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

/** Raw values to address text; absent and empty values leave no trace. */
export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (typeof value === 'string' ? value !== '' : typeof value === 'number') parameters.set(key, String(value));
  }
  const joined = parameters.toString();
  return joined === '' ? '' : `?${joined}`;
}
