import { Injectable } from '@nestjs/common';
import type { Combination, Grid, GridCell, GridColumn, JobState, LogStream, Proof, Verdict } from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';

interface ColumnRow {
  combination: Combination;
  build: GridColumn['build'];
  machine: string | null;
  run_id: string;
  run_name: string;
  job_id: string;
  attempt_id: string | null;
  state: JobState;
  verdict: Verdict | null;
  at: Date | null;
  log_lines: Partial<Record<LogStream, number>> | null;
}

export interface ResultRow {
  attempt_id: string;
  suite: string;
  test: string;
  position: number;
  verdict: Verdict;
  reason: string | null;
  duration_ms: number | null;
  proof: Proof | null;
  log: GridCell['log'];
}

export interface MetricRow {
  attempt_id: string;
  suite: string;
  name: string;
  unit: string;
  better: 'lower' | 'higher';
  lower_quartile: number;
  median: number;
  upper_quartile: number;
  n: number;
}

/** Results by test and by hardware combination × kernel build. */
@Injectable()
export class GridView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The grid of one run, or the newest ended job of every combination × build name; canceled ones say nothing. */
  async read(runId: string | null): Promise<Grid> {
    if (runId !== null && (await this.#sql.one('select 1 from run where id = $1', [runId])) === null) {
      throw notFound('run', runId);
    }
    const columns = (await this.#sql.rows<ColumnRow>(columnsSql(runId), runId === null ? [] : [runId])).map(gridColumn);
    const attemptIds = columns.flatMap(({ attemptId }) => (attemptId === null ? [] : [attemptId]));
    const [results, metrics, clock] = await Promise.all([
      this.#sql.rows<ResultRow>(
        `select attempt_id, suite, test, position, verdict, reason, duration_ms, proof, log from result
         where attempt_id = any($1)`,
        [attemptIds],
      ),
      this.#sql.rows<MetricRow>(
        `select attempt_id, suite, name, unit, better, lower_quartile, median, upper_quartile,
           cardinality(samples) as n from measurement where attempt_id = any($1) order by seq`,
        [attemptIds],
      ),
      this.#sql.one<{ now: Date }>('select clock_timestamp() as now'),
    ]);
    return {
      columns,
      ...arrangeCells(columns, results),
      metrics: arrangeMetrics(columns, metrics),
      generatedAt: (clock?.now ?? new Date(0)).toISOString(),
    };
  }
}

/** Rows in the order of the suites, and the cells that have a result. Pure. */
export function arrangeCells(
  columns: readonly { attemptId: string | null }[],
  results: readonly ResultRow[],
): Pick<Grid, 'rows' | 'cells'> {
  const positions = new Map<string, { suite: string; test: string; position: number }>();
  for (const { suite, test, position } of results) {
    const key = `${suite}\n${test}`;
    const known = positions.get(key);
    if (known === undefined || position < known.position) positions.set(key, { suite, test, position });
  }
  const rows = [...positions.values()].toSorted(
    (a, b) => a.position - b.position || compare(a.suite, b.suite) || compare(a.test, b.test),
  );
  const rowOf = new Map(rows.map(({ suite, test }, index) => [`${suite}\n${test}`, index]));
  const columnOf = columnIndex(columns);
  const cells = results.flatMap((result): GridCell[] => {
    const row = rowOf.get(`${result.suite}\n${result.test}`);
    const column = columnOf.get(result.attempt_id);
    if (row === undefined || column === undefined) return [];
    const { verdict, reason, duration_ms: durationMs, proof, log } = result;
    return [{ row, column, verdict, reason, durationMs, proof, log }];
  });
  return { rows: rows.map(({ suite, test }) => ({ suite, test })), cells };
}

/** One row per suite, metric and unit; a metric reported twice in an attempt shows its last value. Pure. */
export function arrangeMetrics(
  columns: readonly { attemptId: string | null }[],
  metrics: readonly MetricRow[],
): Grid['metrics'] {
  const columnOf = columnIndex(columns);
  const rows = new Map<string, Grid['metrics'][number]>();
  for (const metric of metrics) {
    const { suite, name, unit, better } = metric;
    const key = [suite, name, unit, better].join('\n');
    const row = rows.get(key) ?? { suite, name, unit, better, values: columns.map(() => null) };
    rows.set(key, row);
    const column = columnOf.get(metric.attempt_id);
    if (column === undefined) continue;
    const { median, lower_quartile: lowerQuartile, upper_quartile: upperQuartile, n } = metric;
    row.values[column] = { median, lowerQuartile, upperQuartile, n };
  }
  return [...rows.values()].toSorted((a, b) => compare(a.suite, b.suite) || compare(a.name, b.name));
}

function columnIndex(columns: readonly { attemptId: string | null }[]): Map<string, number> {
  return new Map(columns.flatMap(({ attemptId }, index) => (attemptId === null ? [] : [[attemptId, index]])));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Columns of a grid, each with the newest attempt of its job. Builds of one combination are
 * neighbours: in the order of the run, or those without the feature first, so that "before" stands
 * left of "after".
 */
function columnsSql(runId: string | null): string {
  const jobs =
    runId === null
      ? `select distinct on (j.combination, b.name) j.*, b.name as build_name, b.bundle_key, b.position as build_position
         from job j join build b on b.id = j.build_id
         where j.kind = 'test' and j.state = 'ended' and j.verdict <> 'canceled' and exists (select 1 from attempt t where t.job_id = j.id)
         order by j.combination, b.name, j.ended_at desc`
      : `select j.*, b.name as build_name, b.bundle_key, b.position as build_position
         from job j join build b on b.id = j.build_id where j.kind = 'test' and j.run_id = $1`;
  const order =
    runId === null ? `(u.manifest #>> '{features,dmaAlias}')::boolean nulls last, j.build_name` : 'j.build_position';
  return `
    select jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) as combination,
      jsonb_build_object('name', j.build_name, 'release', u.manifest -> 'release', 'buildId', u.manifest -> 'buildId',
        'dmaAlias', u.manifest #> '{features,dmaAlias}', 'config', u.manifest #> '{config,name}') as build,
      j.machine, j.run_id, r.name as run_name, j.id as job_id, t.id as attempt_id, j.state, j.verdict,
      (select max(stored_at) from result where attempt_id = t.id) as at,
      (select jsonb_object_agg(s.stream, s.next) from stream s
       where s.attempt_id = t.id and s.stream <> 'events' and s.next > 0) as log_lines
    from (${jobs}) j join run r on r.id = j.run_id join combination c on c.hash = j.combination
      left join bundle u on u.key = j.bundle_key
      left join lateral (select id from attempt where job_id = j.id order by number desc limit 1) t on true
    order by c.label, c.hash, ${order}, j.machine, j.position`;
}

function gridColumn(row: ColumnRow): GridColumn {
  return {
    combination: row.combination,
    build: row.build,
    machine: row.machine,
    runId: row.run_id,
    runName: row.run_name,
    jobId: row.job_id,
    attemptId: row.attempt_id,
    state: row.state,
    verdict: row.verdict,
    at: row.at?.toISOString() ?? null,
    logLines: row.log_lines ?? {},
  };
}
