import { createHash } from 'node:crypto';
import { cutText, SOLE_ROLE, VERDICT_TABLE, worstVerdict, type Verdict } from '@peerlab/contracts';
import { columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import { Result } from '../schema/results.js';

export interface PlannedTests {
  /** In the order of the suite. */
  tests: readonly string[];
  /** Where each test stands among those of all suites. */
  positions: readonly number[];
}

/** The verdicts of one suite of one attempt. */
export interface VerdictLine extends PlannedTests {
  attemptId: string;
  suite: string;
  /** One letter of VERDICT_TABLE for each test. */
  verdicts: string;
  /** When the newest of the results was stored. */
  newest: Date;
}

/** The same with the reasons of wrong verdicts. */
export interface VerdictRow extends VerdictLine {
  /** Why, by the test's place, of verdicts that are `wrong` in VERDICT_TABLE. */
  reasons: Readonly<Record<string, string>>;
}

/** A stored row: many attempts share a list of tests, which is stored once under its hash. */
export type PackedRow = VerdictRow & { plan: string };

/** Longest reason that is packed, in characters. */
const REASON_LENGTH = 300;

/** What is packed of a result. */
export const PACKED_RESULT = pick(
  columnsOf(Result),
  'attempt_id',
  'role',
  'suite',
  'test',
  'position',
  'verdict',
  'reason',
  'stored_at',
);

/**
 * Packs results that come sorted by attempt, suite and place. Where several participants report one test, the worst
 * verdict stands. Pure.
 */
export function packResults(results: readonly RowOf<typeof PACKED_RESULT>[]): PackedRow[] {
  const groups: RowOf<typeof PACKED_RESULT>[][] = [];
  for (const result of results) {
    const last = groups.at(-1)?.[0];
    if (last?.attempt_id === result.attempt_id && last.suite === result.suite) groups.at(-1)?.push(result);
    else groups.push([result]);
  }
  return groups.map((all) => {
    const group = worstOfRoles(all, ({ test }) => test);
    const [{ attempt_id: attemptId, suite } = { attempt_id: '', suite: '' }] = group;
    const tests = group.map(({ test }) => test);
    const positions = group.map(({ position }) => position);
    const reasons = group.flatMap(({ role, verdict, reason }, place) =>
      reason === null || !VERDICT_TABLE[verdict].wrong
        ? []
        : [[place, cutText(withRole(role, reason), REASON_LENGTH)] as const],
    );
    return {
      attemptId,
      suite,
      plan: createHash('sha256')
        .update(JSON.stringify([suite, tests, positions]))
        .digest('hex'),
      tests,
      positions,
      verdicts: group.map(({ verdict }) => VERDICT_TABLE[verdict].letter).join(''),
      reasons: Object.fromEntries(reasons),
      newest: new Date(Math.max(...all.map(({ stored_at }) => stored_at.getTime()))),
    };
  });
}

/**
 * Of what several participants report of one test the worst result, the first of equal ones; at the first place that the
 * test has. Pure.
 * @param keyOf names the test, and its attempt where there are several
 */
export function worstOfRoles<T extends { verdict: Verdict }>(results: readonly T[], keyOf: (result: T) => string): T[] {
  const byTest = new Map<string, T>();
  for (const result of results) {
    const known = byTest.get(keyOf(result));
    if (known === undefined || worstVerdict([known.verdict, result.verdict]) !== known.verdict) {
      byTest.set(keyOf(result), result);
    }
  }
  return [...byTest.values()];
}

/** The reason of a participant's result; its role is named where there are several. */
export const withRole = (role: string, reason: string): string => (role === SOLE_ROLE ? reason : `${role}: ${reason}`);

/** Lines of each attempt, in the order in which they come. Pure. */
export function linesByAttempt<T extends { attemptId: string }>(lines: readonly T[]): Map<string, T[]> {
  const byAttempt = new Map<string, T[]>();
  for (const line of lines) {
    const own = byAttempt.get(line.attemptId);
    if (own === undefined) byAttempt.set(line.attemptId, [line]);
    else own.push(line);
  }
  return byAttempt;
}
