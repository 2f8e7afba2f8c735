import { repeatsText, type ComparedMetric, type ComparedRow, type Outcome } from '@peerlab/contracts';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Result } from '../schema/results.js';
import { withRole, worstOfRoles } from '../verdicts/packed-verdicts.js';
import type { ComparedCell, FoundVerdict } from './compare-verdicts.js';

const EVIDENCE = pick(columnsOf(Result), 'attempt_id', 'role', 'suite', 'test', 'verdict', 'reason', 'log');

/** What a result is found by. */
interface EvidenceKey {
  attempt_id: string;
  suite: string;
  test: string;
}

const evidenceKey = ({ attempt_id: attempt, suite, test }: EvidenceKey): string => [attempt, suite, test].join('\n');

/** Cells with their reasons and log lines, which are read for what is listed only. */
export async function withEvidence(sql: Queries, cells: readonly ComparedCell[]): Promise<ComparedRow[]> {
  const wanted = cells.flatMap(({ suite, test, a, b }) =>
    [a, b].flatMap((found) => (found === null ? [] : [{ attempt_id: found.attemptId, suite, test }])),
  );
  const found = await sql.rows(
    EVIDENCE,
    `select x.attempt_id, x.role, x.suite, x.test, x.verdict, x.reason, x.log
     from jsonb_to_recordset($1) as w(attempt_id uuid, suite text, test text)
       join result x on x.attempt_id = w.attempt_id and x.suite = w.suite and x.test = w.test
     order by x.role`,
    [JSON.stringify(wanted)],
  );
  // Where several participants report a test, its verdict is that of the worst.
  const evidence = new Map(worstOfRoles(found, evidenceKey).map((each) => [evidenceKey(each), each]));
  return cells.map(({ a, b, ...cell }) => {
    const outcome = (side: FoundVerdict | null): Outcome | null => {
      if (side === null) return null;
      const { verdict, n, attemptId, repeats } = side;
      const known = evidence.get(evidenceKey({ ...cell, attempt_id: attemptId }));
      const own = known === undefined || known.reason === null ? null : withRole(known.role, known.reason);
      const reason = repeats === null ? own : repeatsText(repeats.passed, repeats.conclusive, own);
      return { verdict, n, attemptId, reason, log: known?.log ?? null };
    };
    return { ...cell, a: outcome(a), b: outcome(b) };
  });
}

/** At most `max` metrics, those with a verdict before the others; in the order they came. */
export function movedFirst(metrics: readonly ComparedMetric[], max: number): ComparedMetric[] {
  const moved = metrics.filter(({ says }) => says !== 'unclear');
  const kept = new Set([...moved, ...metrics.filter(({ says }) => says === 'unclear')].slice(0, max));
  return metrics.filter((metric) => kept.has(metric));
}
