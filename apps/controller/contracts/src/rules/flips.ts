import type { Verdict } from '../schema/verdict.js';
import { isChange } from './change.js';
import { isConclusive } from './verdict.js';

/**
 * Flips of one test on one kernel and one combination. Takes one verdict per attempt, in the order of the attempts;
 * inconclusive ones are left out. Each neighbouring pair is a chance, and a flip when the verdict changed
 * (isChange). Verdicts of two kernels do not belong in one call: a change between kernels is a regression or a fix.
 */
export function countFlips(verdicts: readonly Verdict[]): { flips: number; chances: number } {
  const conclusive = verdicts.filter(isConclusive);
  let flips = 0;
  for (const [index, verdict] of conclusive.entries()) {
    const before = conclusive[index - 1];
    if (before !== undefined && isChange(before, verdict)) flips += 1;
  }
  return { flips, chances: Math.max(0, conclusive.length - 1) };
}
