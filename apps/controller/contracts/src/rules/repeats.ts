import type { Verdict } from '../schema/verdict.js';
import { isConclusive, type Judged } from './verdict.js';

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

/** What contradicting repeats come to, with the place of the result that shows what is wrong. */
export interface JudgedRepeats extends Judged {
  evidence: number;
}

/**
 * Verdict and reason of contradicting results of one test on one kernel build and one combination; null when they do
 * not contradict each other. The evidence is the first crash, or else the first conclusive result that is no pass.
 */
export function judgeRepeats(repeats: readonly Judged[]): JudgedRepeats | null {
  const verdict = verdictOfRepeats(repeats.map((each) => each.verdict));
  if (verdict === null) return null;
  const conclusive = repeats.filter((each) => isConclusive(each.verdict));
  const passed = conclusive.filter((each) => each.verdict === 'pass').length;
  const isEvidence = (each: Judged): boolean =>
    verdict === 'crash' ? each.verdict === 'crash' : isConclusive(each.verdict) && each.verdict !== 'pass';
  const evidence = repeats.findIndex(isEvidence);
  return { verdict, reason: repeatsText(passed, conclusive.length, repeats[evidence]?.reason ?? null), evidence };
}

/** The reason of contradicting results, such as "passed 3 of 5: byte 8 differs". Both numbers count conclusive ones. */
export function repeatsText(passed: number, conclusive: number, reason: string | null): string {
  return `passed ${passed} of ${conclusive}${reason === null ? '' : `: ${reason}`}`;
}
