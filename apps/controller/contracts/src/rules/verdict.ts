import { z } from 'zod';
import { FAILURE_POLICY, type FailureClass } from '../schema/failure.js';
import type { PathKind } from '../schema/paths.js';

/** What a grid cell shows, worst first. */
export const VERDICTS = [
  'crash',
  'fail',
  'bounced',
  'tainted',
  'flaky',
  'infra',
  'canceled',
  'not-reached',
  'skip',
  'pass',
] as const;
export const Verdict = z.enum(VERDICTS);
export type Verdict = z.infer<typeof Verdict>;

/** The one table from which grid, badges, CLI and exit codes take how a verdict looks. */
export const VERDICT_TABLE: Record<Verdict, { letter: string; icon: string; label: string; help: string }> = {
  crash: { letter: 'X', icon: '✸', label: 'crash', help: 'the kernel crashed in this test; see the signature' },
  fail: { letter: 'F', icon: '✗', label: 'fail', help: 'the test failed' },
  bounced: { letter: 'B', icon: '↩', label: 'bounced', help: 'data right, but it did not take the peer path' },
  tainted: { letter: 'T', icon: '⚠', label: 'tainted', help: 'passed, with new warnings in the kernel log' },
  flaky: { letter: '~', icon: '≈', label: 'flaky', help: 'passed and failed on the same kernel and hardware' },
  infra: { letter: 'I', icon: '⌁', label: 'infra', help: 'the lab failed; nothing is known about the kernel' },
  canceled: { letter: 'C', icon: '⊘', label: 'canceled', help: 'canceled before it ended' },
  'not-reached': { letter: 'N', icon: '…', label: 'not reached', help: 'a crash or a timeout came before it' },
  skip: { letter: 'S', icon: '–', label: 'skip', help: 'skipped, with the reason given' },
  pass: { letter: 'P', icon: '✓', label: 'pass', help: 'passed' },
};

/** The verdict that a letter of VERDICT_TABLE stands for; any other letter for none. */
export const VERDICT_BY_LETTER: ReadonlyMap<string, Verdict> = new Map(
  VERDICTS.map((verdict) => [VERDICT_TABLE[verdict].letter, verdict]),
);

/** The line `# proof: {…}` of a suite: which way the bytes went, counted by the devices' drivers. */
export const Proof = z.object({
  test: z.string().max(1000),
  /** What the test aims at; `any` makes no claim about the path. */
  expected: z.enum(['peer', 'ram', 'any']),
  aliasPages: z.number().int().nonnegative(),
  ramPages: z.number().int().nonnegative(),
  mapType: z.string().max(1000),
  aliasCalls: z.number().int().nonnegative().default(0),
  migratedBack: z.number().int().nonnegative().default(0),
  bytesCompared: z.number().int().nonnegative().default(0),
  oracle: z.boolean().default(false),
});
export type Proof = z.infer<typeof Proof>;

/** What the machine said about one test. `timeout` = past its limit, the machine was reset. */
export const ResultStatus = z.enum(['pass', 'fail', 'skip', 'crash', 'timeout', 'not-reached']);
export type ResultStatus = z.infer<typeof ResultStatus>;

export interface Judged {
  verdict: Verdict;
  reason: string | null;
}

/**
 * Judges one result. A pass is believed only when the proof agrees with the path that the farm
 * predicted from the inventory: the kernel under test does not get to say which path is right.
 */
export function judge(
  result: {
    status: ResultStatus;
    reason: string | null;
    proof: Proof | null;
    warnings: readonly string[];
    signature: string | null;
  },
  pathKind: PathKind,
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
      return { verdict: 'not-reached', reason: result.reason };
    case 'pass': {
      const path = judgePath(result.proof, pathKind);
      if (path !== null) return path;
      if (result.warnings.length > 0) return { verdict: 'tainted', reason: result.warnings[0] ?? null };
      return { verdict: 'pass', reason: null };
    }
  }
}

function judgePath(proof: Proof | null, pathKind: PathKind): Judged | null {
  if (proof === null || proof.expected === 'any') return null;
  if (proof.expected === 'ram') {
    return proof.aliasPages === 0
      ? null
      : { verdict: 'fail', reason: `${proof.aliasPages} pages were aliased where RAM was required` };
  }
  if (pathKind === 'NOT_SUPPORTED') {
    if (proof.aliasPages === 0) return null;
    return { verdict: 'fail', reason: `${proof.aliasPages} pages were aliased over a path that does not exist` };
  }
  if (proof.aliasPages === 0) {
    return {
      verdict: 'bounced',
      reason: `data right, but all ${proof.ramPages} pages went through RAM; expected ${pathKind}`,
    };
  }
  if (proof.mapType !== pathKind) {
    return { verdict: 'bounced', reason: `mapped as ${proof.mapType}; the topology says ${pathKind}` };
  }
  return null;
}

/**
 * The verdict of many: the worst of them, except that a skip says nothing beside a pass. Null when
 * there is nothing to sum up.
 */
export function worstVerdict(verdicts: Iterable<Verdict>): Verdict | null {
  let worst: Verdict | null = null;
  for (const verdict of verdicts) {
    if (worst === null || SUMMARY_RANK[verdict] < SUMMARY_RANK[worst]) worst = verdict;
  }
  return worst;
}

/** For sorting, the worst first, by the order in which worstVerdict chooses. */
export function bySeverity(a: Verdict, b: Verdict): number {
  return SUMMARY_RANK[a] - SUMMARY_RANK[b];
}

/** Order of VERDICTS with skip last: smaller is worse. */
const SUMMARY_RANK: Record<Verdict, number> = {
  ...(Object.fromEntries(VERDICTS.map((verdict, rank) => [verdict, rank])) as Record<Verdict, number>),
  skip: VERDICTS.length,
};

/** The verdict of a job whose attempt ended early, for the tests that have no result of their own. */
export function verdictOfFailure(failure: FailureClass): Verdict {
  if (failure === 'canceled') return 'canceled';
  if (failure === 'kernel-crash') return 'crash';
  return FAILURE_POLICY[failure].finding ? 'fail' : 'infra';
}

/** Exit code of `npm start -- --once` and `peerlab watch`: 0 as expected, 1 findings, 2 infrastructure. */
export function exitCodeOf(verdict: Verdict | null): 0 | 1 | 2 {
  switch (verdict) {
    case 'pass':
    case 'skip':
      return 0;
    case 'crash':
    case 'fail':
    case 'bounced':
    case 'tainted':
    case 'flaky':
    case 'not-reached':
      return 1;
    case 'infra':
    case 'canceled':
    case null:
      return 2;
  }
}
