import { z } from 'zod';
import { Combination } from './combination.js';
import { TestedKernel } from './history.js';
import { Name, SuiteName } from './ids.js';
import { Role } from './participants.js';
import { EvidenceLines } from './results.js';
import { RunSide } from './run-side.js';
import { RunState } from './states.js';
import { Verdict } from './verdict.js';

/** What became of a test from side `a` to side `b`, in the order in which a reader wants them. */
export const CHANGE_CLASSES = ['regressed', 'fixed', 'new', 'gone', 'changed', 'same'] as const;
export const ChangeClass = z.enum(CHANGE_CLASSES);
export type ChangeClass = z.infer<typeof ChangeClass>;

/** The one table from which pages take how a class looks and what it means. */
export const CHANGE_TABLE: Record<ChangeClass, { icon: string; help: string }> = {
  regressed: { icon: '▼', help: 'passed on A, and the kernel failed it on B' },
  fixed: { icon: '▲', help: 'the kernel failed it on A, and it passes on B' },
  new: { icon: '+', help: 'has a result on B only' },
  gone: { icon: '−', help: 'has a result on A only' },
  changed: { icon: '≠', help: 'differs in another way: failed otherwise, skipped, not reached, or the lab failed' },
  same: { icon: '=', help: 'the same verdict on both sides' },
};

/** The same where the sides are two combinations of one kernel: no side is the one before. */
export const HARDWARE_CHANGE_TABLE: Record<ChangeClass, { label: string; help: string }> = {
  regressed: { label: 'A only', help: 'passes on A, and fails on B' },
  fixed: { label: 'B only', help: 'fails on A, and passes on B' },
  new: { label: 'not on A', help: 'has a result on B only' },
  gone: { label: 'not on B', help: 'has a result on A only' },
  changed: {
    label: 'differs',
    help: 'differs in another way: fails otherwise, skipped, not reached, or the lab failed',
  },
  same: { label: 'same', help: 'the same verdict on both sides' },
};

export const CompareQuery = z.object({
  a: RunSide,
  /** Absent: the same run as `a`. */
  b: RunSide.optional(),
  rows: z.enum(['changed', 'all']).default('changed'),
  /** Hash of the only combination whose rows and metrics are listed; the counts are of all. */
  combination: z.string().optional(),
  /** `each`: machines with the same hardware are told apart; else what they say is one. */
  machines: z.enum(['each']).optional(),
});

export const ComparedSide = z.object({
  run: z.object({ id: z.uuid(), name: z.string(), state: RunState, createdAt: z.iso.datetime() }),
  /** Of several without a build-id, and without a release where they differ in it. */
  kernel: TestedKernel,
  /** Kernels that the build is: one for each configuration of its machines. Absent = one. */
  kernelsTotal: z.number().int().min(2).optional(),
  /** All builds of the run, in its order. */
  builds: z.array(Name),
});
export type ComparedSide = z.infer<typeof ComparedSide>;

/** What a side says of a test: the worst of its results when several machines have the combination. */
export const Outcome = z.object({
  verdict: Verdict,
  reason: z.string().nullable(),
  /** How many results there are. */
  n: z.number().int().positive(),
  attemptId: z.uuid(),
  log: EvidenceLines,
});
export type Outcome = z.infer<typeof Outcome>;

export const ComparedRow = z.object({
  suite: SuiteName,
  test: z.string(),
  /** Index into `combinations`. */
  combination: z.number().int().nonnegative(),
  class: ChangeClass,
  a: Outcome.nullable(),
  b: Outcome.nullable(),
});
export type ComparedRow = z.infer<typeof ComparedRow>;

/** A side by its boots: the median of the boots' medians, and the smallest and largest of them. */
export const BootSpread = z.object({
  median: z.number(),
  lowest: z.number(),
  highest: z.number(),
  /** Attempts that booted a machine and measured it. */
  boots: z.number().int().positive(),
  /** Samples of all boots. */
  n: z.number().int().positive(),
  /** The newest of those attempts. */
  attemptId: z.uuid(),
});
export type BootSpread = z.infer<typeof BootSpread>;

/** Why a metric is neither better nor worse. */
export const WHY_UNCLEAR = [
  'one-sided',
  'same-kernel',
  'few-boots',
  'other-machines',
  'no-ratio',
  'noise',
  'small',
] as const;
export const WhyUnclear = z.enum(WHY_UNCLEAR);
export type WhyUnclear = z.infer<typeof WhyUnclear>;

/** A metric on both sides, judged by rules/significance together with all others of the answer. */
export const ComparedMetric = z.object({
  suite: SuiteName,
  name: z.string(),
  /** Which role of a job with several measured it; absent in a job with one. */
  role: Role.optional(),
  /** Of a metric that was measured with messages of several sizes: what all of them are called, and this one's size. */
  size: z.object({ series: z.string(), bytes: z.number().int().positive() }).nullable(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  combination: z.number().int().nonnegative(),
  a: BootSpread.nullable(),
  b: BootSpread.nullable(),
  /**
   * b ÷ a, of the medians of the boots, with its 95 % interval; null when a side was not measured or has a value that is
   * not above zero. `low` and `high` are null below three boots a side.
   */
  ratio: z.object({ value: z.number(), low: z.number().nullable(), high: z.number().nullable() }).nullable(),
  says: z.enum(['better', 'worse', 'unclear']),
  /** Null with a verdict. */
  why: WhyUnclear.nullable(),
  /** Of the permutation test, adjusted for all metrics of the answer; null when it was not tested. */
  p: z.number().nullable(),
  /** Smallest relative change that counts: 0.02 = 2 %; the noise floor, at least 1 %. */
  least: z.number(),
  /** How far two boots of one kernel differ in 95 of 100 cases, as a relative change; null while it is not known. */
  noise: z.number().nullable(),
  /** How many more boots each side needs before a verdict is possible; 0 = none. */
  moreBoots: z.number().int().nonnegative(),
});
export type ComparedMetric = z.infer<typeof ComparedMetric>;

/** How many rows and metrics an answer holds at most: those first that tell the most. */
export const COMPARED_ROWS_MAX = 1000;
export const COMPARED_METRICS_MAX = 500;

export const Comparison = z.object({
  a: ComparedSide,
  b: ComparedSide,
  /** Those that either side ran on, by label (and machine), each with how many of its tests are in each class. */
  combinations: z.array(
    z.object({
      combination: Combination,
      /** Where machines are told apart. */
      machine: Name.optional(),
      counts: z.record(ChangeClass, z.number().int().nonnegative()),
    }),
  ),
  /** In the order of the suites. */
  rows: z.array(ComparedRow),
  /** Rows that there are; more than `rows` holds when the answer had to be cut. */
  rowsTotal: z.number().int().nonnegative(),
  /** By suite and name. */
  metrics: z.array(ComparedMetric),
  metricsTotal: z.number().int().nonnegative(),
});
export type Comparison = z.infer<typeof Comparison>;
