import type { Verdict } from '../schema/verdict.js';
import { isConclusive } from './verdict.js';

/**
 * The rule of `flaky`: the verdict of one test that was run several times on the same kernel build and the same
 * combination, when the results contradict each other. Inconclusive verdicts have no say. Results contradict each
 * other when one is a pass and another one is not: then the cell is `flaky`; but a crash stays a crash, because a
 * kernel that crashes now and then is not safe to use. The order of the results does not matter.
 * @returns `flaky`, `crash`, or null when there is no contradiction and the caller's own choice stands (the newest
 *   result in the grid by kernel, the worst one in a comparison)
 */
export function verdictOfRepeats(verdicts: Iterable<Verdict>): Verdict | null {
  const conclusive = new Set([...verdicts].filter(isConclusive));
  if (!conclusive.has('pass') || conclusive.size === 1) return null;
  return conclusive.has('crash') ? 'crash' : 'flaky';
}

/** Why a cell has the verdict of its contradicting results, such as "passed 3 of 5". Counts conclusive results. */
export function repeatsText(verdicts: readonly Verdict[], reason: string | null): string {
  const conclusive = verdicts.filter(isConclusive);
  const passed = conclusive.filter((verdict) => verdict === 'pass').length;
  return `passed ${passed} of ${conclusive.length}${reason === null ? '' : `: ${reason}`}`;
}
