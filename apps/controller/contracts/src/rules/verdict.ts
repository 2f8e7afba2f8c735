import { FAILURE_POLICY, type FailureClass } from '../schema/failure.js';
import type { ExpectedPath } from '../schema/paths.js';
import type { Proof } from '../schema/proof.js';
import type { AttemptState } from '../schema/states.js';
import { type ResultStatus, type Verdict, VERDICT_TABLE, type VerdictExitCode } from '../schema/verdict.js';
import { attestPath, NO_PATH } from './attest.js';

export interface Judged {
  verdict: Verdict;
  reason: string | null;
}

/**
 * Judges one result. A pass is believed only when the proof agrees with the path that the farm
 * predicted from the inventory, and its counters show that path (`attest.ts`): the kernel under test
 * does not get to say which path is right. Where its source changes the rule by which paths are found, no path is right or
 * wrong: what the counters show to have gone from device to device passes, and RAM is neither a failure nor a pass.
 */
export function judge(
  result: {
    status: ResultStatus;
    reason: string | null;
    proof: Proof | null;
    warnings: readonly string[];
    signature: string | null;
  },
  pathKind: ExpectedPath,
): Judged {
  switch (result.status) {
    case 'crash':
      return { verdict: 'crash', reason: result.signature ?? result.reason };
    case 'timeout':
      return { verdict: 'fail', reason: result.reason ?? 'ran past its limit' };
    case 'fail':
      return { verdict: 'fail', reason: result.reason };
    case 'skip':
      return { verdict: 'skip', reason: result.reason };
    case 'not-reached':
    case 'no-result':
      return { verdict: result.status, reason: result.reason };
    case 'pass': {
      const path = judgePath(result.proof, pathKind);
      if (path !== null && path.verdict !== 'skip') return path;
      if (result.warnings.length > 0) return { verdict: 'tainted', reason: result.warnings[0] ?? null };
      return path ?? { verdict: 'pass', reason: null };
    }
  }
}

/**
 * What a proof shows and what was expected of it, in words that stand by themselves: that data took RAM is right in
 * one test and the fault that the farm looks for in another. By the rule of `judgePath`.
 * @param pathKind what the farm expected; `expectedPath` tells it
 */
export function proofText(proof: Proof, pathKind: ExpectedPath | null): string {
  const { expected, taken } = proof;
  const way = taken === 'ram' ? 'RAM' : taken;
  if (expected === 'any') return `${way}; the test expects no particular way`;
  if (expected === 'ram') return taken === 'ram' ? 'RAM, as the test expects' : `${way}, but the test expects RAM`;
  if (pathKind === null) return `${way}; the test expects the peer path`;
  if (pathKind === 'NOT_SUPPORTED') {
    return taken === 'ram' ? 'RAM, as expected: no peer path exists here' : `${way}, a path that does not exist here`;
  }
  if (pathKind === 'unknown' && taken === 'ram') return `RAM; ${NO_PATH}`;
  if (pathKind !== 'unknown' && taken !== pathKind) return `${way}, but the topology predicts ${pathKind}`;
  const { reason } = attestPath(proof, pathKind);
  if (pathKind === 'unknown' && reason === null) return `${way}; ${NO_PATH}`;
  return reason === null ? `${way}, as the topology predicts` : `${way} is claimed, but not proven: ${reason}`;
}

function judgePath(proof: Proof | null, pathKind: ExpectedPath): Judged | null {
  if (proof === null || proof.expected === 'any') return null;
  const { expected, taken } = proof;
  const isRam = taken === 'ram';
  if (expected === 'ram') {
    return isRam ? null : { verdict: 'fail', reason: `the data took ${taken} where RAM was required` };
  }
  if (pathKind === 'NOT_SUPPORTED') {
    return isRam ? null : { verdict: 'fail', reason: `the data took ${taken}, a path that does not exist here` };
  }
  if (isRam && pathKind === 'unknown')
    return { verdict: 'skip', reason: `data right, all of it through RAM; ${NO_PATH}` };
  if (isRam) return { verdict: 'bounced', reason: `data right, but all of it went through RAM; expected ${pathKind}` };
  if (pathKind !== 'unknown' && taken !== pathKind)
    return { verdict: 'bounced', reason: `the data took ${taken}; the topology says ${pathKind}` };
  const { reason } = attestPath(proof, pathKind);
  return reason === null ? null : { verdict: 'bounced', reason: `data right, but not proven to be direct: ${reason}` };
}

/** The verdict of many: the one with the lowest rank. Null when there is nothing to sum up. */
export function worstVerdict(verdicts: Iterable<Verdict>): Verdict | null {
  let worst: Verdict | null = null;
  for (const verdict of verdicts) {
    if (worst === null || bySeverity(verdict, worst) < 0) worst = verdict;
  }
  return worst;
}

/** Compares two verdicts for sorting, the worst first. */
export function bySeverity(a: Verdict, b: Verdict): number {
  return VERDICT_TABLE[a].rank - VERDICT_TABLE[b].rank;
}

/** Whether a verdict tells something about the kernel in this test. */
export function isConclusive(verdict: Verdict): boolean {
  return VERDICT_TABLE[verdict].conclusive;
}

/** The verdict of a job whose attempt ended early, for the tests that have no result of their own. */
export function verdictOfFailure(failure: FailureClass): Verdict {
  if (failure === 'canceled') return 'canceled';
  if (failure === 'kernel-crash') return 'crash';
  return FAILURE_POLICY[failure].finding ? 'fail' : 'infra';
}

/** The verdict of an attempt at a test; null before its end. */
export function verdictOfAttempt({
  state,
  failure,
  results,
}: {
  state: AttemptState;
  failure: { class: FailureClass } | null;
  results: readonly { verdict: Verdict }[];
}): Verdict | null {
  if (state !== 'ended') return null;
  const own = failure === null ? [] : [verdictOfFailure(failure.class)];
  return worstVerdict([...results.map(({ verdict }) => verdict), ...own]) ?? 'not-reached';
}

/** How many results have each verdict. */
export function countVerdicts(results: readonly { verdict: Verdict }[]): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of results) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

/** Exit code for a run's verdict; a run without one says nothing about the kernel: 2. */
export function exitCodeOf(verdict: Verdict | null): VerdictExitCode {
  return verdict === null ? 2 : VERDICT_TABLE[verdict].exitCode;
}
