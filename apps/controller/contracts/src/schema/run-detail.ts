import { z } from 'zod';
import { AttemptSummary } from './attempts.js';
import { BootNumber } from './boot-number.js';
import { Combination } from './combination.js';
import { BuildEstimate } from './expected-start.js';
import { Name } from './ids.js';
import { DevicePair } from './paths.js';
import { RunSpec } from './run-spec.js';
import { RunSummary } from './runs.js';
import { JobState } from './states.js';
import { SuspectAttempt, SUSPECTS_MAX } from './suspects.js';
import { Time } from './time.js';
import { Verdict } from './verdict.js';

export const JobView = z.object({
  id: z.uuid(),
  kind: z.enum(['build', 'test']),
  build: Name,
  buildId: z.uuid(),
  /** Configuration of a kernel that is built, where the build is several: one for each configuration of its machines. */
  config: Name.optional(),
  state: JobState,
  verdict: Verdict.nullable(),
  /** That runs it or ran it; null for builds, and while any machine of the combination may take it. */
  machine: Name.nullable(),
  combination: Combination.nullable(),
  /** The devices that it tests; null for builds. */
  pair: DevicePair.nullable(),
  /** Null without `repeat`. */
  boot: BootNumber.nullable().default(null),
  /** Why it does not run yet, in words with numbers; null once it runs. */
  waiting: z.string().nullable(),
  /** When it is expected to end, milliseconds from now; null if ended or unknown. */
  endsInMs: z.number().nonnegative().nullable(),
  /** Of a build that has not ended: whether its kernel is stored, and what builds like it took. */
  estimate: BuildEstimate.nullable(),
  attempts: z.array(AttemptSummary),
});
export type JobView = z.infer<typeof JobView>;

export const RunDetail = RunSummary.extend({
  spec: RunSpec,
  yaml: z.string().nullable(),
  jobViews: z.array(JobView),
  /** When its last job is expected to end, milliseconds from now; null if ended or unknown. */
  endsInMs: z.number().nonnegative().nullable(),
  /** Attempts whose machine turned out sick after they ran. */
  suspects: z.array(SuspectAttempt).max(SUSPECTS_MAX).default([]),
  /** Who pinned it, so that retention does not remove it, and why; null = it is not pinned. */
  pin: z.object({ by: z.string(), reason: z.string().nullable(), at: Time }).nullable(),
});
export type RunDetail = z.infer<typeof RunDetail>;
