import { ROLE_SQL, SIZE_COLUMNS, SIZE_SQL, type SizedMetric } from '../grid/measured-boots.js';
import { columnsOf, integer, nullable, pick, text, uuid } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Measurement } from '../schema/results.js';

const METRIC = {
  ...pick(columnsOf(Measurement), 'suite', 'name', 'unit', 'better', 'median', 'attempt_id'),
  role: nullable(text),
  n: integer,
  run_id: uuid,
  machine: text,
  combination: text,
  ...SIZE_COLUMNS,
};

/** What attempts measured, each on the machine of the participant that measured it; those that came later stand later. */
export function readMeasured(sql: Queries, attempts: readonly string[]): Promise<SizedMetric[]> {
  return sql.rows(
    METRIC,
    `select m.suite, m.name, ${ROLE_SQL}, m.unit, m.better, m.median, cardinality(m.samples) as n, m.attempt_id, ${SIZE_SQL},
       j.run_id, coalesce(p.machine, '') as machine, j.combination
     from measurement m join participant p on p.attempt_id = m.attempt_id and p.role = m.role
       join attempt t on t.id = m.attempt_id join job j on j.id = t.job_id
     where m.attempt_id = any($1) order by m.stored_at, m.seq`,
    [attempts],
  );
}
