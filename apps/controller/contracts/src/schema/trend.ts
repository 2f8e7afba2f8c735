import { z } from 'zod';
import { TestedKernel } from './history.js';
import { Name, Sha256 } from './ids.js';
import { Combination } from './views.js';

/** Points of a trend at most: the newest ones. */
export const TREND_POINTS_MAX = 500;

export const TrendQuery = z.object({
  suite: Name,
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

/** Points of one build's name on one combination, oldest first. */
export const TrendLine = z.object({
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

/** A metric that was measured, as its newest measurement describes it. */
export const MetricView = z.object({
  suite: Name,
  name: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  lastAt: z.iso.datetime(),
});
export type MetricView = z.infer<typeof MetricView>;

/** A place in a line where the level moved. */
export interface ChangePoint {
  /** Index of the first point on the new level. */
  index: number;
  direction: 'up' | 'down';
}

type Spread = Pick<TrendPoint, 'median' | 'lowerQuartile' | 'upperQuartile'>;

/** Points on each side of a change that have to agree. */
const WITNESSES = 2;

/**
 * Where a line moved to another level. Point i starts a new level when, for each of the two points
 * before it and each of the two from it on, either median lies outside the other's quartiles, all on
 * the same side: one stray point makes no change. Of neighbouring candidates in one direction (a move
 * that takes several points) the largest step counts. A description of what is seen, no test of
 * significance; the last point alone can never be a change.
 */
export function changePoints(points: readonly Spread[]): ChangePoint[] {
  const found: ChangePoint[] = [];
  for (let index = WITNESSES; index + WITNESSES <= points.length; index += 1) {
    const direction = moveAt(points, index);
    if (direction === null) continue;
    const last = found.at(-1);
    if (last?.direction !== direction || last.index < index - WITNESSES + 1) found.push({ index, direction });
    else if (stepAt(points, index) > stepAt(points, last.index)) last.index = index;
  }
  return found;
}

function moveAt(points: readonly Spread[], index: number): ChangePoint['direction'] | null {
  const before = points.slice(index - WITNESSES, index);
  const after = points.slice(index, index + WITNESSES);
  const all = (isMove: (left: Spread, right: Spread) => boolean): boolean =>
    before.every((left) => after.every((right) => isMove(left, right)));
  if (all(liesAbove)) return 'up';
  if (all((left, right) => liesAbove(right, left))) return 'down';
  return null;
}

function liesAbove(low: Spread, high: Spread): boolean {
  return high.median > low.upperQuartile && low.median < high.lowerQuartile;
}

function stepAt(points: readonly Spread[], index: number): number {
  return Math.abs((points[index]?.median ?? 0) - (points[index - 1]?.median ?? 0));
}
