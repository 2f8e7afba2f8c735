import { z } from 'zod';
import { Combination } from './combination.js';
import { FailureClass } from './failure.js';
import { Name, Sha256, SuiteName } from './ids.js';
import { AnyStage } from './states.js';
import { Time } from './time.js';
import { Verdict } from './verdict.js';

/** Longest time for which a failure can be marked as known, in days: marks expire unless renewed. */
export const KNOWN_DAYS_MAX = 366;

/** A person's mark that a failure is known. It explains a verdict and never changes one. */
export const KnownFailure = z.object({
  id: z.uuid(),
  reason: z.string(),
  /** Name of the token that marked it, and when. */
  by: z.string(),
  at: Time,
  /** From then on it counts as unknown again. */
  until: Time,
  /** Who withdrew it, and when; null while it stands. */
  ended: z.object({ by: z.string(), at: Time }).nullable(),
  /** It is in the baseline of its suite on kernels of this base, by version; null: it was marked by itself. */
  base: z.string().nullable().default(null),
});
export type KnownFailure = z.infer<typeof KnownFailure>;

/** Which failure of an attempt is meant: that of a test, or without both fields that of the attempt itself. */
export const FailureSubject = z.object({ suite: SuiteName.optional(), test: z.string().min(1).max(500).optional() });
export type FailureSubject = z.infer<typeof FailureSubject>;

export const NewKnownFailure = z.strictObject({
  ...FailureSubject.shape,
  reason: z.string().trim().min(1).max(500),
  /** In the future, at most KNOWN_DAYS_MAX days from now. */
  until: z.iso.datetime(),
});
export type NewKnownFailure = z.infer<typeof NewKnownFailure>;

/** Accepts what fails in a suite of an attempt as the baseline of the suite on the untouched kernel of that attempt. */
export const NewBaseline = z.strictObject({
  suite: SuiteName,
  reason: z.string().trim().min(1).max(500),
  /** In the future, at most KNOWN_DAYS_MAX days from now. */
  until: z.iso.datetime(),
});
export type NewBaseline = z.infer<typeof NewBaseline>;

/** The failures of a suite that are known on every kernel of one base. */
export const Baseline = KnownFailure.omit({ base: true }).extend({
  suite: SuiteName,
  base: z.object({ version: z.string(), sha256: Sha256 }),
  /** Failed tests that it names. */
  failures: z.number().int().nonnegative(),
  /** The attempt that they were accepted from; retention may have removed it. */
  attemptId: z.uuid(),
});
export type Baseline = z.infer<typeof Baseline>;

/** Baselines in one answer. */
export const BASELINES_MAX = 500;

/** One occurrence of a failure. */
export const FailureSighting = z.object({
  at: Time,
  attemptId: z.uuid(),
  machine: Name.nullable(),
  build: Name,
  run: z.object({ id: z.uuid(), name: z.string() }),
});
export type FailureSighting = z.infer<typeof FailureSighting>;

/** Combinations and kernels that an answer lists; the counts beside them are of all. */
export const FAILURE_PLACES_MAX = 20;

/** What failed: a test, or an attempt as a whole, such as one whose kernel did not boot. */
const Failed = z.object({
  /** Suite and test; null for the failure of an attempt. */
  suite: SuiteName.nullable(),
  test: z.string().nullable(),
  /** Of the failure of an attempt: where and why it ended; null for a test. */
  failure: z.object({ class: FailureClass, stage: AnyStage.nullable() }).nullable(),
  verdict: Verdict,
  /** Title of the crash, or else the reason, as this result or attempt has it. */
  what: z.string().nullable(),
});

/**
 * What is stored of one failure of one test, or of one stage of attempts. Two failures are the same when test, verdict and
 * signature are, or stage, class and signature. The signature is the title of the crash, or else the reason without its
 * numbers, addresses and ids.
 */
export const FailureMemory = Failed.extend({
  /** Results or attempts with this failure, this one included. */
  count: z.number().int().positive(),
  /** Of these, the ones of runs that were submitted before the run of this result. */
  earlier: z.number().int().nonnegative(),
  first: FailureSighting,
  last: FailureSighting,
  /** The newest of the earlier ones. */
  before: FailureSighting.nullable(),
  /** Most frequent first; null stands for results without a combination. */
  combinations: z
    .array(z.object({ combination: Combination.pick({ hash: true, label: true }).nullable(), count: z.number().int() }))
    .max(FAILURE_PLACES_MAX),
  combinationCount: z.number().int(),
  /** By build-id of the kernel, the newest first. */
  kernels: z
    .array(
      z.object({
        /** The newest build that became it. */
        build: z.object({ id: z.uuid(), name: Name }),
        release: z.string().nullable(),
        buildId: z.string().nullable(),
        count: z.number().int(),
      }),
    )
    .max(FAILURE_PLACES_MAX),
  kernelCount: z.number().int(),
  /** Other tests in which the same signature was seen with the same verdict; 0 for the failure of an attempt. */
  otherTests: z.number().int().nonnegative(),
  /** The newest mark, also one that has ended or run out. */
  known: KnownFailure.nullable(),
});
export type FailureMemory = z.infer<typeof FailureMemory>;

/** A failed result or attempt of a run with what is known of its failure. */
export const RunFailure = Failed.extend({
  attemptId: z.uuid(),
  machine: Name.nullable(),
  build: Name,
  /** The same for equal failures of a test or a stage; nothing else can be read from it. */
  key: z.string(),
  /** As in FailureMemory. */
  earlier: z.number().int().nonnegative(),
  firstAt: Time,
  known: KnownFailure.nullable(),
});
export type RunFailure = z.infer<typeof RunFailure>;

/** Failed results and attempts in one answer. */
export const RUN_FAILURES_MAX = 500;

export const RunFailures = z.object({
  /** The worst first. */
  failures: z.array(RunFailure).max(RUN_FAILURES_MAX),
  /** All that there are. */
  total: z.number().int().nonnegative(),
});
export type RunFailures = z.infer<typeof RunFailures>;
