import { metricId, ofRole, type Grid } from '@peerlab/contracts';
import { columnsOf, nullable, pick, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Measurement } from '../schema/results.js';
import { compare } from './grid-rows.js';
import { ROLE_SQL } from './measured-boots.js';

/** A metric that some attempts measured. */
export interface MetricRow {
  suite: string;
  test: string;
  name: string;
  /** Which role of a job with several measured it; absent in a job with one. */
  role?: string;
  unit: string;
  better: 'lower' | 'higher';
  /** The newest of an attempt stand last. */
  values: readonly ({ attemptId: string } & NonNullable<GridMetric['values'][number]>)[];
}

type GridMetric = Grid['metrics'][number];

const METRICS = {
  ...pick(columnsOf(Measurement), 'suite', 'test', 'name', 'unit', 'better'),
  role: nullable(text),
  values: text,
};

/** What attempts measured: all values of a metric as one text, because there are thousands of them. */
export const METRICS_SQL = `
  select suite, min(test) as test, name, ${ROLE_SQL}, unit, better,
    string_agg(concat_ws(' ', attempt_id, lower_quartile, median, upper_quartile, cardinality(samples)), ',' order by seq)
      as values
  from measurement m where attempt_id = any($1) group by suite, name, m.role, unit, better`;

/** What the attempts measured, in any order of the metrics. */
export async function readMetrics(sql: Queries, attemptIds: readonly string[]): Promise<MetricRow[]> {
  const rows = await sql.rows(METRICS, METRICS_SQL, [attemptIds]);
  return rows.map(({ role, values, ...metric }) => ({
    ...metric,
    ...ofRole({ role }),
    values: values.split(',').map(measuredValue),
  }));
}

function measuredValue(text: string): MetricRow['values'][number] {
  const [attemptId = '', lowerQuartile, median, upperQuartile, n] = text.split(' ');
  return {
    attemptId,
    median: Number(median),
    lowerQuartile: Number(lowerQuartile),
    upperQuartile: Number(upperQuartile),
    n: Number(n),
  };
}

/** One row per suite, metric, role and unit; a metric that a role reported twice in an attempt shows its last value. Pure. */
export function arrangeMetrics(
  columns: number,
  /** By attempt. */
  columnOf: ReadonlyMap<string, number>,
  metrics: readonly MetricRow[],
  noiseOf: (metric: Omit<GridMetric, 'values' | 'noise'>) => GridMetric['noise'] = () => ({}),
): GridMetric[] {
  const rows = new Map<string, GridMetric>();
  for (const { values, ...metric } of metrics) {
    const key = metricId(metric);
    const row = rows.get(key) ?? {
      ...metric,
      noise: noiseOf(metric),
      values: Array.from({ length: columns }, () => null),
    };
    rows.set(key, row);
    for (const { attemptId, ...value } of values) {
      const column = columnOf.get(attemptId);
      if (column !== undefined) row.values[column] = value;
    }
  }
  return [...rows.values()].toSorted(
    (a, b) => compare(a.suite, b.suite) || compare(a.name, b.name) || compare(a.role ?? '', b.role ?? ''),
  );
}
