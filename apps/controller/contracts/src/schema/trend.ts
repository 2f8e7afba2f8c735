import { z } from 'zod';
import { TestedKernel } from './history.js';
import { Name, Sha256, SuiteName } from './ids.js';
import { Combination } from './combination.js';
import { TestedSide } from './tested-role.js';

/** Points of a trend at most: the newest ones. */
export const TREND_POINTS_MAX = 500;

export const TrendQuery = z.object({
  suite: SuiteName,
  metric: z.string().min(1).max(128),
  combination: Sha256.optional(),
  /** Name of a build, as runs call it. */
  build: Name.optional(),
});

/** One measurement of one attempt. */
export const TrendPoint = z.object({
  median: z.number(),
  lowerQuartile: z.number(),
  upperQuartile: z.number(),
  n: z.number().int().positive(),
  kernel: TestedKernel,
  machine: Name.nullable(),
  runId: z.uuid(),
  attemptId: z.uuid(),
  at: z.iso.datetime(),
});
export type TrendPoint = z.infer<typeof TrendPoint>;

/** Points of one build's name on one combination, as one role measured them, oldest first. */
export const TrendLine = TestedSide.extend({
  combination: Combination,
  build: Name,
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  points: z.array(TrendPoint).min(1),
});
export type TrendLine = z.infer<typeof TrendLine>;

export const Trend = z.object({
  lines: z.array(TrendLine),
  /** There are older points than the newest TREND_POINTS_MAX that were asked for. */
  isCut: z.boolean(),
});
export type Trend = z.infer<typeof Trend>;

/** Measurements of each metric that the overview reads: the newest ones. */
export const OVERVIEW_POINTS_MAX = 200;
/** Lines of the overview: those that changed most. */
export const OVERVIEW_LINES_MAX = 400;

/** One metric of one build's name on one combination, in short. */
export const OverviewLine = TestedSide.extend({
  suite: SuiteName,
  metric: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  /** Index into `combinations`. */
  combination: z.number().int().nonnegative(),
  build: Name,
  /** Medians of boots, oldest first, and the attempts that measured them. */
  medians: z.array(z.number()).min(1),
  attempts: z.array(z.uuid()).min(1),
  /** Samples of all boots. */
  n: z.number().int().positive(),
  /** When the newest was stored. */
  at: z.iso.datetime(),
  /** The last place where its level moved (changesOfLines); null when it did not. */
  change: z
    .object({ index: z.number().int(), direction: z.enum(['up', 'down']), before: z.number(), after: z.number() })
    .nullable(),
  /** The newest boot ÷ the median of all before it, which is no verdict; null with one boot or values not above zero. */
  ratio: z.number().nullable(),
});
export type OverviewLine = z.infer<typeof OverviewLine>;

/** All metrics at a glance: those whose level moved first, then by `ratio`. */
export const TrendOverview = z.object({
  combinations: z.array(Combination),
  lines: z.array(OverviewLine),
  /** Lines that there are; more than `lines` holds when the answer had to be cut. */
  linesTotal: z.number().int().nonnegative(),
  /** Some metric has more measurements than the newest OVERVIEW_POINTS_MAX, which alone were read. */
  isCut: z.boolean(),
});
export type TrendOverview = z.infer<typeof TrendOverview>;

/** A metric that was measured, as its newest measurement describes it. */
export const MetricView = z.object({
  suite: SuiteName,
  name: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  lastAt: z.iso.datetime(),
});
export type MetricView = z.infer<typeof MetricView>;

/** Tests in the list of all tests. */
export const TESTS_MAX = 10_000;

/** Every test that some attempt planned, by suite and name; `isCut`: there are more than TESTS_MAX. */
export const TestList = z.object({
  tests: z.array(z.object({ suite: SuiteName, test: z.string() })).max(TESTS_MAX),
  isCut: z.boolean(),
});
export type TestList = z.infer<typeof TestList>;
