import type { Grid } from '@peerlab/contracts';
import { columnsOf, pick, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Measurement } from '../schema/results.js';
import { compare } from './grid-rows.js';

/** A metric that some attempts measured. */
export interface MetricRow {
  suite: string;
  test: string;
  name: string;
  unit: string;
  better: 'lower' | 'higher';
  /** The newest of an attempt stand last. */
  values: readonly ({ attemptId: string } & NonNullable<GridMetric['values'][number]>)[];
}

type GridMetric = Grid['metrics'][number];

const METRICS = { ...pick(columnsOf(Measurement), 'suite', 'test', 'name', 'unit', 'better'), values: text };

/** What attempts measured: all values of a metric as one text, because there are thousands of them. */
export const METRICS_SQL = `
  select suite, min(test) as test, name, unit, better,
    string_agg(concat_ws(' ', attempt_id, lower_quartile, median, upper_quartile, cardinality(samples)), ',' order by seq)
      as values
  from measurement where attempt_id = any($1) group by suite, name, unit, better`;

/** What the attempts measured, in any order of the metrics. */
export async function readMetrics(sql: Queries, attemptIds: readonly string[]): Promise<MetricRow[]> {
  const rows = await sql.rows(METRICS, METRICS_SQL, [attemptIds]);
  return rows.map(({ values, ...metric }) => ({ ...metric, values: values.split(',').map(measuredValue) }));
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

/** One row per suite, metric and unit; a metric reported twice in an attempt shows its last value. Pure. */
export function arrangeMetrics(
  columns: number,
  /** By attempt. */
  columnOf: ReadonlyMap<string, number>,
  metrics: readonly MetricRow[],
  noiseOf: (metric: Omit<GridMetric, 'values' | 'noise'>) => GridMetric['noise'] = () => ({}),
): GridMetric[] {
  const rows = new Map<string, GridMetric>();
  for (const { values, ...metric } of metrics) {
    const key = [metric.suite, metric.name, metric.unit, metric.better].join('\n');
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
  return [...rows.values()].toSorted((a, b) => compare(a.suite, b.suite) || compare(a.name, b.name));
}
