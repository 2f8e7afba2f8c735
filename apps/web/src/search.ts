import {
  CombinationChoice,
  KernelCursor,
  LOG_STREAMS,
  MachineDesired,
  MachineObserved,
  Name,
  RunFilter,
  RunSide,
  Sha256,
  Verdict,
} from '@peerlab/contracts';
import { z } from 'zod';

/**
 * The search part of every page's address. An invalid value is replaced by its default, so that a broken or old link
 * still opens the page.
 */
const text = z.string().max(2000).optional().catch(undefined);
const flag = z.literal('on').optional().catch(undefined);
const line = z.coerce.number().int().min(1).optional().catch(undefined);

export const GridSearch = z.object({
  /** Columns; absent = hardware combinations. */
  by: z.literal('builds').optional().catch(undefined),
  /** Of the grid by builds: hash of a combination or `all`; absent = the one with the newest result. */
  combination: CombinationChoice.optional().catch(undefined),
  /** Of the grid by builds: only kernels older than this; absent = the newest. */
  before: z
    .string()
    .refine((value) => KernelCursor.safeParse(value).success)
    .optional()
    .catch(undefined),
  /** Run id; absent = the newest result of every combination and build. */
  run: z.uuid().optional().catch(undefined),
  /** Regular expression over `suite/test`. */
  q: text,
  /** Tests with one of these verdicts, or `pending`, in some column; separated by commas. Absent = all. */
  verdict: text,
  /** Absent = all rows, else those whose columns do not all have the same verdict. */
  differing: z.literal('only').optional().catch(undefined),
  /** Order of the tests within their suites; absent = as they run. */
  sort: z.enum(['failures', 'flakiness', 'name']).optional().catch(undefined),
  /** Folded suites, separated by commas. */
  folded: text,
  /** Content of a cell of a test with metrics; absent = its verdict alone. */
  show: z.literal('metric').optional().catch(undefined),
  /** Absent = the boots of a run with `repeat` are one column. */
  boots: z.literal('each').optional().catch(undefined),
  /** Of the newest results; absent = machines with the same hardware are one column. */
  machines: z.literal('each').optional().catch(undefined),
  /** Hash of the combination that is to be compared with another. */
  pick: Sha256.optional().catch(undefined),
  /** Open cell: `suite/test@build@combination`, with `.2` behind for the second boot and `~MACHINE` for one of several machines, or `suite/test@build-id` in the grid by builds. */
  cell: text,
});
export type GridSearch = z.infer<typeof GridSearch>;

/** The filter of the API, each part of which is left out when it is not one. */
const optional = <T extends z.ZodType>(schema: T) => schema.catch(undefined as z.output<T>);
const { q, purpose, verdict, state, kernel, machine, submitter, from, until } = RunFilter.shape;

export const RunsSearch = z.object({
  q: optional(q),
  purpose: optional(purpose),
  verdict: optional(verdict),
  state: optional(state),
  kernel: optional(kernel),
  machine: optional(machine),
  submitter: optional(submitter),
  from: optional(from),
  until: optional(until),
  /** Runs chosen to be compared, separated by commas. */
  pick: text,
});
export type RunsSearch = z.infer<typeof RunsSearch>;

const name = Name.optional().catch(undefined);
/** Hash of a hardware combination. */
const combination = Sha256.optional().catch(undefined);

export const HistorySearch = z.object({
  suite: name,
  test: z.string().min(1).max(200).optional().catch(undefined),
  combination,
  /** Name of a build. */
  build: name,
});
export type HistorySearch = z.infer<typeof HistorySearch>;

/** `RUN` or `RUN~BUILD`. */
const side = z
  .string()
  .refine((value) => RunSide.safeParse(value).success)
  .optional()
  .catch(undefined);

export const CompareSearch = z.object({
  a: side,
  /** Absent = the same run as `a`. */
  b: side,
  /** Absent = changed rows only. */
  rows: z.literal('all').optional().catch(undefined),
  /** Hash of the only combination that is listed; absent = all. */
  on: text,
  /** Absent = machines with the same hardware are one. */
  machines: z.literal('each').optional().catch(undefined),
  /** Regular expression over `suite/test combination`. */
  q: text,
});
export type CompareSearch = z.infer<typeof CompareSearch>;

export const HardwareSearch = z.object({
  /** A build of the kernel; absent = the newest kernel that ran on two combinations. */
  build: z.uuid().optional().catch(undefined),
  /** Hashes of the combinations; absent = the first ones of the kernel. */
  a: combination,
  b: combination,
  /** Absent = rows that differ only. */
  rows: z.literal('all').optional().catch(undefined),
  /** Regular expression over `suite/test`. */
  q: text,
});
export type HardwareSearch = z.infer<typeof HardwareSearch>;

export const TwinsSearch = z.object({
  /** A build of the kernel; absent = the newest kernel that ran on two machines with the same hardware. */
  build: z.uuid().optional().catch(undefined),
  /** Absent = the first such combination of the kernel. */
  combination,
  /** Regular expression over `suite/test`. */
  q: text,
});
export type TwinsSearch = z.infer<typeof TwinsSearch>;

export const TrendsSearch = z.object({
  suite: name,
  metric: z.string().min(1).max(128).optional().catch(undefined),
  combination,
  build: name,
  /** Absent = every chart spans the same change; `own` = each spans its values. */
  axis: z.enum(['own', 'zero']).optional().catch(undefined),
  /** Of the overview: regular expression over `suite/metric build combination`. */
  q: text,
  /** Absent = charts. */
  view: z.literal('table').optional().catch(undefined),
});
export type TrendsSearch = z.infer<typeof TrendsSearch>;

export const AttemptSearch = z.object({
  view: z.enum(['evidence', 'log', 'files']).optional().catch(undefined),
  /** Of the results: only those with this verdict; absent = all. */
  verdict: Verdict.optional().catch(undefined),
  /** Of the results; absent = what needs a look first. */
  sort: z.enum(['run', 'time', 'name']).optional().catch(undefined),
  /** `all` = merged by time. */
  stream: z
    .enum([...LOG_STREAMS, 'all'])
    .optional()
    .catch(undefined),
  /** Whose streams, where several machines take part; `*` = those of all of them, by time. */
  role: text,
  /** Of `all`: streams that are left out, separated by commas. */
  without: text,
  /** First and last marked line, from 1. */
  line,
  to: line,
  /** What is searched for in the log. */
  q: text,
  /** Whether that is a regular expression, whether case counts, and whether only lines that match are shown. */
  regex: flag,
  case: flag,
  hits: flag,
  /** Long lines are wrapped; each line has its time. */
  wrap: flag,
  time: flag,
});
export type AttemptSearch = z.infer<typeof AttemptSearch>;

export const MachinesSearch = z.object({
  /** Regular expression over name, description, site, agent, paths and problem. */
  q: text,
  /** Seen or wanted state. */
  state: z
    .enum([...MachineObserved.options, ...MachineDesired.options])
    .optional()
    .catch(undefined),
  /** `key=value` */
  label: text,
  health: z.enum(['ok', 'problem']).optional().catch(undefined),
  queue: z.enum(['waiting', 'empty']).optional().catch(undefined),
  /** As LOADS of fleet/machine-filter.ts. */
  load: z.enum(['idle', 'light', 'heavy']).optional().catch(undefined),
});
export type MachinesSearch = z.infer<typeof MachinesSearch>;

export const MachineSearch = z.object({
  /** Highlighted pair: `provider address~client address`. */
  pair: text,
});
export type MachineSearch = z.infer<typeof MachineSearch>;

export const CrashesSearch = z.object({
  /** Part of a title. */
  q: text,
});
export type CrashesSearch = z.infer<typeof CrashesSearch>;

export const BuildsSearch = z.object({ q: text });
export type BuildsSearch = z.infer<typeof BuildsSearch>;

export const BuildSearch = z.object({
  /** Numbers of the unfolded patches, separated by commas. */
  open: text,
});
export type BuildSearch = z.infer<typeof BuildSearch>;

export const AdminSearch = z.object({
  tab: z.enum(['tokens', 'deliveries', 'reports', 'retention']).optional().catch(undefined),
});
export type AdminSearch = z.infer<typeof AdminSearch>;

export const SubmitSearch = z.object({
  template: text,
  /** Run whose YAML is the starting text. */
  from: z.uuid().optional().catch(undefined),
});
export type SubmitSearch = z.infer<typeof SubmitSearch>;

/** Parses the search part of an address into strings; the schemas convert them. */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

/** Formats values as the search part of an address; absent and empty values are left out. */
export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (typeof value === 'string' ? value !== '' : typeof value === 'number') parameters.set(key, String(value));
  }
  const joined = parameters.toString();
  return joined === '' ? '' : `?${joined}`;
}
