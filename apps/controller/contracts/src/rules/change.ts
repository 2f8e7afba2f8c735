import type { ChangeClass } from '../schema/compare.js';
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
 * Metrics. The unit is the boot: an attempt that booted a machine; its samples count as one value, their median. Grid,
 * comparison, trends, CLI and report take the rule from significance/:
 *
 *  1. Below BOOTS_MIN boots a side, or where no deal of the boots could reach LEVEL, there is no verdict: the page says how
 *     many boots are missing (moreBootsNeeded). So figures of one boot each, as in most cells of a grid, are never badged.
 *  2. Two boots of one build-id differ by noise, which is shown and never badged.
 *  3. Else a metric is better or worse when (judgeMetrics)
 *     - dealing the boots out again, within their machine, makes some metric of the page differ as much in at most LEVEL of
 *       the deals (permutation.ts): all metrics of a page share that limit;
 *     - the change is a discovery against the noise of this metric on this combination, learnt from stored boots of one
 *       build-id, at a false discovery rate of LEVEL among the metrics of the page (noise.ts). Between sides of different
 *       runs that is the noise between runs;
 *     - the ratio of the medians is at least RELEVANCE and the noise floor away from 1, and its interval does not hold 1
 *       (effect.ts).
 *  4. In a line over kernels the level moved where changesOfLines says so (change-points.ts).
 *
 * How often this is wrong was measured: SIGNIFICANCE.md.
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
