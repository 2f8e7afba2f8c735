import { Injectable } from '@nestjs/common';
import type { Grid, GridCell, GridColumn } from '@peerlab/contracts';
import { columnsOf, json, nullable, pick, text, time, uuid, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Result } from '../schema/results.js';
import { Job } from '../schema/runs.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';
import { COMBINATION } from './combinations.js';
import { arrangeMetrics, readMetrics } from './grid-metrics.js';
import { arrangeRows, columnIndex } from './grid-rows.js';
import { IS_TESTED } from './tested-jobs.js';

const JOB_COLUMNS = columnsOf(Job);
const COLUMN = {
  ...COMBINATION,
  ...pick(JOB_COLUMNS, 'machine', 'run_id', 'state', 'verdict'),
  build: json<GridColumn['build']>(),
  run_name: text,
  job_id: uuid,
  attempt_id: nullable(uuid),
  log_lines: nullable(json<GridColumn['logLines']>()),
};

const RESULT = pick(
  columnsOf(Result),
  'attempt_id',
  'suite',
  'test',
  'verdict',
  'reason',
  'duration_ms',
  'proof',
  'log',
);
export type ResultRow = RowOf<typeof RESULT>;

/** Results by test and by hardware combination × kernel build. */
@Injectable()
export class GridView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /** The grid of one run, or the newest ended job of every combination × build name; canceled jobs are left out. */
  async read(runId: string | null, withCells: boolean): Promise<Grid> {
    if (runId !== null && !(await this.#sql.exists('select 1 from run where id = $1', [runId]))) {
      throw notFound('run', runId);
    }
    const found = await this.#sql.rows(COLUMN, columnsSql(runId), runId === null ? [] : [runId]);
    const attemptIds = found.flatMap(({ attempt_id }) => (attempt_id === null ? [] : [attempt_id]));
    const [verdicts, results, metrics, clock] = await Promise.all([
      this.#verdicts.read(attemptIds),
      withCells ? this.#results(attemptIds) : [],
      readMetrics(this.#sql, attemptIds),
      this.#sql.one({ now: time }, 'select clock_timestamp() as now'),
    ]);
    const newest = new Map<string, Date>();
    for (const { attemptId, newest: at } of verdicts) {
      const known = newest.get(attemptId);
      if (known === undefined || known < at) newest.set(attemptId, at);
    }
    const columns = found.map((row) => gridColumn(row, newest.get(row.attempt_id ?? '')));
    const { rows, notes } = arrangeRows(columns, verdicts);
    return {
      columns,
      rows,
      notes,
      cells: arrangeCells(columns, rows, results),
      metrics: arrangeMetrics(columns.length, columnIndex(columns), metrics),
      generatedAt: (clock?.now ?? new Date(0)).toISOString(),
    };
  }

  #results(attemptIds: readonly string[]): Promise<ResultRow[]> {
    return this.#sql.rows(
      RESULT,
      `select attempt_id, suite, test, verdict, reason, duration_ms, proof, log from result where attempt_id = any($1)`,
      [attemptIds],
    );
  }
}

/** The cells that have a result. Pure. */
export function arrangeCells(
  columns: readonly { attemptId: string | null }[],
  rows: readonly { suite: string; test: string }[],
  results: readonly ResultRow[],
): GridCell[] {
  const rowOf = new Map(rows.map(({ suite, test }, index) => [`${suite}\n${test}`, index]));
  const columnOf = columnIndex(columns);
  return results.flatMap((result): GridCell[] => {
    const row = rowOf.get(`${result.suite}\n${result.test}`);
    const column = columnOf.get(result.attempt_id);
    if (row === undefined || column === undefined) return [];
    const { verdict, reason, duration_ms: durationMs, proof, log } = result;
    return [{ row, column, verdict, reason, durationMs, proof, log }];
  });
}

/** What a column shows of a job. */
const JOB = `job.id, run_id, build_id, build_name, position, machine, combination, state, verdict`;

/** The newest job, and its newest attempt, of the pair that stands last in job_newest among those with `isBelow`. */
const lastPair = (isBelow: string): string => `
  (select ${JOB}, t.id as attempt_id
   from job cross join lateral (select id from attempt where job_id = job.id order by number desc limit 1) t
   where ${IS_TESTED} and ${isBelow}
   order by combination desc, build_name desc, ended_at desc limit 1)`;

/** The newest job of each combination × build name that came to an attempt: hops down along job_newest. */
const NEWEST_JOBS = `
  with recursive newest as (
    ${lastPair('combination is not null')}
    union all
    select following.* from newest cross join lateral
      ${lastPair('(combination, build_name) < (newest.combination, newest.build_name)')} following)
  select * from newest`;

const JOBS_OF_RUN = `
  select ${JOB}, (select id from attempt where job_id = job.id order by number desc limit 1) as attempt_id
  from job where kind = 'test' and run_id = $1`;

/**
 * Columns of a grid, each with the newest attempt of its job. Builds of one combination are
 * neighbours: in the order of the run, or those without the feature first, so that "before" stands
 * left of "after". Hundreds of columns share a build, whose manifest is long: it is read once.
 */
function columnsSql(runId: string | null): string {
  const order = runId === null ? 'built.features nulls last, j.build_name' : 'built.position';
  return `
    with j as materialized (${runId === null ? NEWEST_JOBS : JOBS_OF_RUN}),
    built as materialized (
      select b.id, b.position, u.manifest -> 'features' as features,
        jsonb_build_object('id', b.id, 'name', b.name, 'release', u.manifest -> 'release',
          'buildId', u.manifest -> 'buildId', 'features', u.manifest -> 'features',
          'config', u.manifest #> '{config,name}') as build
      from build b left join bundle u on u.key = b.bundle_key where b.id in (select build_id from j))
    select c.hash, c.label, c.identity, built.build, j.machine, j.run_id, r.name as run_name, j.id as job_id,
      j.attempt_id, j.state, j.verdict,
      (select jsonb_object_agg(s.stream, s.next) from stream s
       where s.attempt_id = j.attempt_id and s.stream <> 'events' and s.next > 0) as log_lines
    from j join run r on r.id = j.run_id join combination c on c.hash = j.combination
      join built on built.id = j.build_id
    order by c.label, c.hash, ${order}, j.machine, j.position`;
}

function gridColumn(row: RowOf<typeof COLUMN>, newest: Date | undefined): GridColumn {
  return {
    combination: { hash: row.hash, label: row.label, identity: row.identity },
    build: row.build,
    machine: row.machine,
    runId: row.run_id,
    runName: row.run_name,
    jobId: row.job_id,
    attemptId: row.attempt_id,
    state: row.state,
    verdict: row.verdict,
    at: newest?.toISOString() ?? null,
    logLines: row.log_lines ?? {},
  };
}
