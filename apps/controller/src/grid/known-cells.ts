import { VERDICT_TABLE, VERDICTS, type Grid } from '@peerlab/contracts';
import { kernelOf } from '../platform/database/role-kernel.js';
import { nullable, text, time, uuid, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { columnIndex } from './grid-rows.js';

const WRONG = VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].wrong);

const KNOWN_RESULT = {
  attempt_id: uuid,
  suite: text,
  test: text,
  reason: text,
  by: text,
  until: time,
  base: nullable(text),
};

/** Marks that stand: of single failures, and (with a base) of baselines. */
const STANDING = `
  select k.suite, k.test, k.failure, null::text as base, null::text as base_version, k.reason, k.by, k.until
  from known_failure k where k.ended_at is null and k.until > clock_timestamp()
  union all
  select l.suite, f.test, f.failure, l.base, l.base_version, l.reason, l.by, l.until
  from baseline l join baseline_failure f on f.baseline_id = l.id where l.ended_at is null and l.until > clock_timestamp()`;

/** The failed results of attempts that people know. */
export function readKnown(sql: Queries, attemptIds: readonly string[]): Promise<RowOf<typeof KNOWN_RESULT>[]> {
  return sql.rows(
    KNOWN_RESULT,
    `with standing as materialized (${STANDING})
     select distinct on (s.attempt_id, s.suite, s.test) s.attempt_id, s.suite, s.test, known.reason, known.by, known.until,
       known.base_version as base
     from standing known
       join result s on s.suite = known.suite and s.test = known.test
         and failure_key(s.verdict, s.signature, s.reason) = known.failure
       join attempt t on t.id = s.attempt_id join job j on j.id = t.job_id
       ${kernelOf('s.role')}
     where s.attempt_id = any($1) and s.verdict <> 'pass' and s.verdict = any($2)
       and (known.base is null or known.base = u.manifest -> 'base' ->> 'sha256')
     order by s.attempt_id, s.suite, s.test, known.base nulls first`,
    [attemptIds, WRONG],
  );
}

/** The cells of a grid whose failures are known, each mark once. Pure. */
export function arrangeKnown(
  columns: readonly { attemptId: string | null }[],
  rows: readonly { suite: string; test: string }[],
  results: readonly RowOf<typeof KNOWN_RESULT>[],
): Pick<Grid, 'known' | 'marks'> {
  const rowOf = new Map(rows.map(({ suite, test }, index) => [`${suite}\n${test}`, index]));
  const columnOf = columnIndex(columns);
  const marks: Grid['marks'] = [];
  const placeOf = new Map<string, number>();
  const known = results.flatMap(({ attempt_id, suite, test, reason, by, until, base }) => {
    const [row, column] = [rowOf.get(`${suite}\n${test}`), columnOf.get(attempt_id)];
    if (row === undefined || column === undefined) return [];
    const mark = { reason, by, until: until.toISOString(), base };
    const key = JSON.stringify(mark);
    const place = placeOf.get(key) ?? marks.push(mark) - 1;
    placeOf.set(key, place);
    return [{ row, column, mark: place }];
  });
  return { known: known.toSorted((a, b) => a.row - b.row || a.column - b.column), marks };
}
