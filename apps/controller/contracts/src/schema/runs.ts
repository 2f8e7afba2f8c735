import { z } from 'zod';
import { Name } from './ids.js';
import { RunPurpose } from './purpose.js';
import { RunState } from './states.js';
import { Time } from './time.js';
import { timeCursor } from './time-cursor.js';
import { Verdict, VERDICTS } from './verdict.js';

/** How far a run is that has not ended. */
export const RunProgress = z.object({
  /** Jobs that have an attempt now. */
  running: z.number().int().nonnegative(),
  /** Results of the suites so far. */
  reported: z.number().int().nonnegative(),
  /** How many there will be; null while a kernel is not built, because its bundle names the tests. */
  planned: z.number().int().nonnegative().nullable(),
  /** Why none of its jobs can start without intervention; null if one can. */
  obstacle: z.string().nullable(),
});
export type RunProgress = z.infer<typeof RunProgress>;

export const RunSummary = z.object({
  id: z.uuid(),
  name: z.string(),
  purpose: RunPurpose.default('test'),
  state: RunState,
  /** Null until it has ended: what came so far is in `counts`. */
  verdict: Verdict.nullable(),
  counts: z.partialRecord(Verdict, z.number().int().nonnegative()),
  jobs: z.object({ total: z.number().int(), ended: z.number().int() }),
  /** Null when it has ended. */
  progress: RunProgress.nullable(),
  trigger: z.object({ kind: z.enum(['user', 'webhook', 'farm']), detail: z.string() }),
  builds: z.array(Name),
  createdAt: Time,
  startedAt: Time.nullable(),
  endedAt: Time.nullable(),
  cancelRequested: z.boolean(),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** Where a page of runs ends: `time~run`. */
export const RunCursor = timeCursor(z.uuid());
export type RunCursor = z.infer<typeof RunCursor>;

/** Verdicts of a filter: one of them, or `wrong` = all wrong ones. */
export const VERDICT_CHOICES = ['wrong', ...VERDICTS] as const;
/** States of a filter; `open` = not ended. */
export const STATE_CHOICES = ['open', ...RunState.options] as const;

/** Which runs a list has; all conditions must hold. */
export const RunFilter = z.object({
  /** Part of the run's name; letters of both cases are the same. */
  q: z.string().min(1).max(120).optional(),
  /** Absent = runs that test kernels; `health` = the farm's own checks of machines. */
  purpose: RunPurpose.optional(),
  /** Of runs that have ended. */
  verdict: z.enum(VERDICT_CHOICES).optional(),
  state: z.enum(STATE_CHOICES).optional(),
  /** Name of a build, its kernel's release, or the beginning of its build-id. */
  kernel: z.string().min(1).max(64).optional(),
  machine: Name.optional(),
  /** Name of the user, or of the webhook. */
  submitter: z.string().min(1).max(64).optional(),
  /** First and last day on which it was created, both included, in UTC: `2026-11-30`. */
  from: z.iso.date().refine(isStorableDay, 'expected a year from 0001').optional(),
  until: z.iso.date().refine(isStorableDay, 'expected a year from 0001').optional(),
});
export type RunFilter = z.infer<typeof RunFilter>;

/** ISO 8601 has the year 0000, Postgres has not. */
function isStorableDay(day: string): boolean {
  return !day.startsWith('0000');
}

/** One line of the list of runs. `cursor` is the `before` of a page that begins after it. */
export const ListedRun = RunSummary.extend({ cursor: z.string() });
export type ListedRun = z.infer<typeof ListedRun>;
