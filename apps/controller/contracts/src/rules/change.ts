import { FEW_SAMPLES, type ChangeClass, type ComparedMetric } from '../schema/compare.js';
import type { TrendPoint } from '../schema/trend.js';
import type { Verdict } from '../schema/verdict.js';
import { isConclusive } from './verdict.js';

/*
 * "It changed", for the whole farm: grid, comparison, history, flakiness and trends take it from this file.
 *
 * Verdicts. Two verdicts of one test on one hardware combination are compared: of two kernels, or of two attempts
 * on one kernel.
 *
 *  1. The verdict changed when both verdicts are conclusive (VERDICT_TABLE) and differ (isChange).
 *  2. A change from `pass` is a regression, a change to `pass` is a fix. A change between two verdicts that are
 *     no pass, such as `bounced` to `crash`, is neither.
 *  3. An inconclusive verdict (lab trouble, skipped, not reached, canceled) says nothing of the kernel. It is
 *     never part of a change. A sequence leaves it out: the verdicts around it are neighbours. A comparison of
 *     two sides, where both are on the screen, lists the pair as `changed` and never as `regressed` or `fixed`.
 *  4. A side without any result makes the test `new` or `gone`, whatever the other side says.
 *  5. A change on one and the same kernel is no regression but a flip (flips.ts). A cell whose results on one
 *     kernel contradict each other shows the verdict of repeats.ts, which then is compared like any other.
 *
 * Metrics. A metric changed
 *
 *  1. between two sides, when the interval of the ratio b ÷ a at the level CONFIDENCE does not contain 1
 *     (judgeRatio); without an interval, or with one that contains 1, it is `unclear`;
 *  2. between two cells of a grid, of which only quartiles are known, when the quartile ranges do not overlap
 *     (areSpreadsApart);
 *  3. in a sequence of attempts, where its level moved: two neighbouring points on each side agree by their
 *     quartiles (changePoints).
 *
 * The last two describe what is seen and are no test of significance.
 */

/** Whether a verdict changed: both conclusive, and different. Symmetric. */
export function isChange(a: Verdict, b: Verdict): boolean {
  return a !== b && isConclusive(a) && isConclusive(b);
}

/** Class of a test by its verdicts on both sides; null = no result on that side. Null on both sides is `same`. */
export function classOfChange(a: Verdict | null, b: Verdict | null): ChangeClass {
  if (a === b) return 'same';
  if (a === null) return 'new';
  if (b === null) return 'gone';
  if (!isChange(a, b)) return 'changed';
  if (a === 'pass') return 'regressed';
  if (b === 'pass') return 'fixed';
  return 'changed';
}

/** What an interval of b ÷ a says, given which direction is good. `samples`: how many each side has. */
export function judgeRatio(
  ratio: ComparedMetric['ratio'],
  better: 'lower' | 'higher',
  samples: { a: number; b: number },
): Pick<ComparedMetric, 'says' | 'moreRunsNeeded'> {
  const isSmall = Math.min(samples.a, samples.b) < FEW_SAMPLES;
  if (ratio === null) return { says: 'unclear', moreRunsNeeded: samples.a === 0 || samples.b === 0 };
  const { low, high } = ratio;
  if (low === null || high === null) return { says: 'unclear', moreRunsNeeded: true };
  if (low <= 1 && high >= 1) return { says: 'unclear', moreRunsNeeded: isSmall };
  return { says: high < 1 === (better === 'lower') ? 'better' : 'worse', moreRunsNeeded: false };
}

/** Whether the quartile ranges of two measurements of one metric do not overlap. Symmetric. */
export function areSpreadsApart(a: Quartiles, b: Quartiles): boolean {
  return a.lowerQuartile > b.upperQuartile || b.lowerQuartile > a.upperQuartile;
}

type Quartiles = Pick<TrendPoint, 'lowerQuartile' | 'upperQuartile'>;

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
