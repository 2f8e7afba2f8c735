import { Injectable } from '@nestjs/common';
import {
  buildOfSide,
  TREND_POINTS_MAX,
  type Combination,
  type MetricView,
  type Trend,
  type TrendLine,
} from '@peerlab/contracts';
import { readCombinations } from '../grid/combinations.js';
import { ofKernels } from '../platform/database/purpose.js';
import { kernelOf, SIDE, SIDE_SQL, sideOf } from '../platform/database/role-kernel.js';
import { columnsOf, integer, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import type { InputOf } from '../platform/http/serve.js';
import { Measurement } from '../schema/results.js';
import { Job } from '../schema/runs.js';
import { KERNEL, KERNEL_SQL } from './history.js';

const MEASUREMENT = columnsOf(Measurement);
const POINT = {
  ...pick(MEASUREMENT, 'unit', 'better', 'median', 'lower_quartile', 'upper_quartile', 'stored_at', 'attempt_id'),
  ...pick(columnsOf(Job), 'run_id', 'machine'),
  n: integer,
  combination: text,
  kernel: KERNEL,
  ...SIDE,
};
export type PointRow = RowOf<typeof POINT>;
const METRIC = pick(MEASUREMENT, 'suite', 'name', 'unit', 'better', 'stored_at');

/** Recursive table of all metrics: hops from one to the next along the index instead of reading every measurement. */
export const METRIC_HOPS = `metric as (
    (select suite, name from measurement order by suite, name limit 1)
    union all
    select n.suite, n.name from metric k cross join lateral (
      select suite, name from measurement where (suite, name) > (k.suite, k.name) order by suite, name limit 1) n
  )`;

/** All metrics, each as its newest measurement describes it. */
export const METRICS_SQL = `
  with recursive ${METRIC_HOPS}
  select k.suite, k.name, m.unit, m.better, m.stored_at from metric k cross join lateral (
    select unit, better, stored_at from measurement where suite = k.suite and name = k.name
    order by stored_at desc, attempt_id desc limit 1) m
  order by k.suite, k.name`;

/** What one metric was over time. */
@Injectable()
export class TrendView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async metrics(): Promise<MetricView[]> {
    const rows = await this.#sql.rows(METRIC, METRICS_SQL);
    return rows.map(({ suite, name, unit, better, stored_at }) => ({
      suite,
      name,
      unit,
      better,
      lastAt: stored_at.toISOString(),
    }));
  }

  /** The newest TREND_POINTS_MAX measurements of the metric that match; no line when there is none. */
  async read(query: InputOf<'getTrend'>['query']): Promise<Trend> {
    const { text: statement, values } = trendSql(query);
    const rows = await this.#sql.rows(POINT, statement, values);
    const shown = rows.slice(0, TREND_POINTS_MAX);
    const hashes = new Set(shown.map(({ combination }) => combination));
    return {
      lines: arrangeTrend(shown, await readCombinations(this.#sql, hashes)),
      isCut: rows.length > TREND_POINTS_MAX,
    };
  }
}

/** Newest first, with one row more than is shown. */
export function trendSql({ suite, metric, combination, build }: InputOf<'getTrend'>['query']): {
  text: string;
  values: unknown[];
} {
  const values: unknown[] = [suite, metric];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions = ['m.suite = $1', 'm.name = $2', 'j.combination is not null', ofKernels()];
  if (combination !== undefined) conditions.push(`j.combination = ${bind(combination)}`);
  if (build !== undefined) conditions.push(`b.name = ${bind(build)}`);
  const statement = `
    select m.unit, m.better, m.median, m.lower_quartile, m.upper_quartile, cardinality(m.samples) as n, m.stored_at,
      m.attempt_id, j.run_id, coalesce(o.machine, j.machine) as machine, j.combination, ${KERNEL_SQL} as kernel, ${SIDE_SQL}
    from measurement m join attempt t on t.id = m.attempt_id join job j on j.id = t.job_id
      ${kernelOf('m.role')}
    where ${conditions.join(' and ')}
    order by m.stored_at desc, m.attempt_id desc, m.seq desc limit ${TREND_POINTS_MAX + 1}`;
  return { text: statement, values };
}

/** Rows (newest first) as lines by combination, build name with its side, and unit, each oldest first. Pure. */
export function arrangeTrend(rows: readonly PointRow[], combinations: readonly Combination[]): TrendLine[] {
  const byHash = new Map(combinations.map((combination) => [combination.hash, combination]));
  const lines = new Map<string, TrendLine>();
  for (const row of rows.toReversed()) {
    const combination = byHash.get(row.combination);
    if (combination === undefined) continue;
    const { unit, better, kernel } = row;
    const side = { build: kernel.name, ...sideOf(row) };
    const key = [combination.label, combination.hash, buildOfSide(side), unit, better].join('\n');
    const line = lines.get(key) ?? { combination, ...side, unit, better, points: [] };
    lines.set(key, line);
    line.points.push({
      median: row.median,
      lowerQuartile: row.lower_quartile,
      upperQuartile: row.upper_quartile,
      n: row.n,
      kernel,
      machine: row.machine,
      runId: row.run_id,
      attemptId: row.attempt_id,
      at: row.stored_at.toISOString(),
    });
  }
  return [...lines].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, line]) => line);
}
