import { FAILURE_POLICY, fewOf, VERDICT_TABLE, type HealthOutcome, type Verdict } from '@peerlab/contracts';
import type { StoredFailure } from '../schema/attempts.js';

/** A job of the run of a check, as it ended. */
export interface CheckedJob {
  kind: 'build' | 'test';
  verdict: Verdict | null;
  /** Why it ended without an attempt. */
  note: string | null;
  /** Of each of its attempts in turn; null = all stages ran. */
  failures: readonly (StoredFailure | null)[];
  /** The first wrong result of its newest attempt; null = there is none. */
  wrong: { suite: string; test: string; verdict: Verdict; reason: string | null } | null;
  /** An alarm of the hardware that nothing corrected; null = there was none. */
  alarm: string | null;
}

export interface CheckJudgement {
  outcome: HealthOutcome;
  /** What was found; null when it passed. */
  detail: string | null;
}

/**
 * What a check says of its machine. The kernel is known to be good, so what it fails is the machine's fault; what the lab
 * failed says nothing. Passed is only what ran in one go: every boot passed with its first attempt. Pure.
 */
export function judgeCheck(jobs: readonly CheckedJob[], isCanceled: boolean): CheckJudgement {
  const tests = jobs.filter(({ kind }) => kind === 'test');
  const finding = tests.map(findingOf).find((found) => found !== null);
  if (finding !== undefined) return { outcome: 'failed', detail: finding };
  if (isCanceled) return { outcome: 'canceled', detail: 'its run was canceled' };
  const unbuilt = jobs.find(({ kind, verdict }) => kind === 'build' && verdict !== 'pass');
  if (unbuilt !== undefined) {
    const why = lastFailure(unbuilt)?.message ?? unbuilt.note ?? 'no reason was given';
    return inconclusive(`the known-good kernel was not built: ${why}`);
  }
  const [disturbed] = tests.flatMap(({ failures }) => failures.filter((failure) => failure !== null));
  if (disturbed !== undefined) return inconclusive(`a boot was disturbed by the lab: ${disturbed.message}`);
  if (tests.length === 0) return inconclusive('its run had no test');
  const odd = tests.filter(({ verdict }) => verdict !== 'pass');
  if (odd.length > 0) {
    const verdicts = odd.map(({ verdict, note }) => note ?? (verdict === null ? 'no verdict' : labelOf(verdict)));
    return inconclusive(`not every boot passed: ${fewOf([...new Set(verdicts)])}`);
  }
  return { outcome: 'passed', detail: null };
}

const inconclusive = (detail: string): CheckJudgement => ({ outcome: 'inconclusive', detail });
const labelOf = (verdict: Verdict): string => VERDICT_TABLE[verdict].label;
const lastFailure = ({ failures }: CheckedJob): StoredFailure | null => failures.at(-1) ?? null;

/** What the kernel failed on the machine, or the hardware told itself; null = nothing, or the lab was in the way. */
function findingOf(job: CheckedJob): string | null {
  if (job.alarm !== null) return `hardware alarm: ${job.alarm}`;
  const failure = lastFailure(job);
  if (failure !== null && FAILURE_POLICY[failure.class].finding) return failure.signature ?? failure.message;
  if (failure !== null || job.verdict === null) return null;
  const { conclusive, wrong } = VERDICT_TABLE[job.verdict];
  if (!conclusive || !wrong) return null;
  if (job.wrong === null) return labelOf(job.verdict);
  const { suite, test, verdict, reason } = job.wrong;
  return `${suite}/${test}: ${labelOf(verdict)}${reason === null ? '' : `: ${reason}`}`;
}
