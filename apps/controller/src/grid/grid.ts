import { Injectable } from '@nestjs/common';
import { worstVerdict, type Grid, type GridCell, type Proof } from '@peerlab/contracts';
import { columnsOf, nullable, pick, text, time, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Result } from '../schema/results.js';
import { withRole } from '../verdicts/packed-verdicts.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';
import { gridColumn, readColumns, type FoundColumn, type GridSource } from './grid-columns.js';
import { arrangeMetrics, readMetrics } from './grid-metrics.js';
import { readGridNoise } from './grid-noise.js';
import { arrangeRows, columnIndex } from './grid-rows.js';
import { arrangeKnown, readKnown } from './known-cells.js';
import { readPlanned } from './planned-tests.js';

const RESULT = {
  ...pick(columnsOf(Result), 'attempt_id', 'role', 'suite', 'test', 'verdict', 'reason', 'duration_ms', 'log'),
  /** As text: many are the same, and only one of each is read. */
  proof: nullable(text),
};
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

  /**
   * The grid of one run, or the newest ended job of every combination × kernel (× machine); canceled jobs are left out. A
   * combination on which no job of a build name has ended shows the job that will.
   */
  async read(of: GridSource, withCells: boolean): Promise<Grid> {
    if ('run' in of && !(await this.#sql.exists('select 1 from run where id = $1', [of.run]))) {
      throw notFound('run', of.run);
    }
    const found = await readColumns(this.#sql, of);
    const attemptIds = found.flatMap(({ attempt_id }) => (attempt_id === null ? [] : [attempt_id]));
    const [verdicts, planned, results, metrics, known, clock, hasTwins] = await Promise.all([
      this.#verdicts.read(attemptIds),
      readPlanned(this.#sql, found),
      withCells ? this.#results(attemptIds) : [],
      readMetrics(this.#sql, attemptIds),
      readKnown(this.#sql, attemptIds),
      this.#sql.one({ now: time }, 'select clock_timestamp() as now'),
      'run' in of ? false : this.#hasTwins(found),
    ]);
    const newest = new Map<string, Date>();
    for (const { attemptId, newest: at } of verdicts) {
      const known = newest.get(attemptId);
      if (known === undefined || known < at) newest.set(attemptId, at);
    }
    const columns = found.map((row) => gridColumn(row, newest.get(row.attempt_id ?? '')));
    const { rows, ...notes } = arrangeRows(columns, verdicts, planned);
    const noiseOf = await readGridNoise(this.#sql, columns, metrics);
    return {
      columns,
      rows,
      ...notes,
      ...arrangeKnown(columns, rows, known),
      ...arrangeCells(columns, rows, results),
      metrics: arrangeMetrics(columns.length, columnIndex(columns), metrics, noiseOf),
      ...('run' in of ? {} : { hasTwins }),
      generatedAt: (clock?.now ?? new Date(0)).toISOString(),
    };
  }

  /** Whether several machines have the hardware of one of these columns, or of one of its roles. */
  #hasTwins(columns: readonly FoundColumn[]): Promise<boolean> {
    return this.#sql.exists(
      `select combination from machine_path
       where combination = any($1) or combination in (select combination from job_role where job_id = any($2))
       group by combination having count(distinct machine) > 1 limit 1`,
      [
        [...new Set(columns.map(({ hash }) => hash))],
        columns.flatMap(({ job_id, roles }) => (roles === null ? [] : [job_id])),
      ],
    );
  }

  #results(attemptIds: readonly string[]): Promise<ResultRow[]> {
    return this.#sql.rows(
      RESULT,
      `select attempt_id, role, suite, test, verdict, reason, duration_ms, proof::text as proof, log
       from result where attempt_id = any($1) order by attempt_id, suite, role`,
      [attemptIds],
    );
  }
}

/** The cells that have a result, the worst one where several participants report a test, and their proofs. Pure. */
export function arrangeCells(
  columns: readonly { attemptId: string | null }[],
  rows: readonly { suite: string; test: string }[],
  results: readonly ResultRow[],
): Pick<Grid, 'cells' | 'proofs'> {
  const rowOf = new Map(rows.map(({ suite, test }, index) => [`${suite}\n${test}`, index]));
  const columnOf = columnIndex(columns);
  const proofs: Proof[] = [];
  const placeOf = new Map<string, number>();
  const place = (proof: string): number => {
    const known = placeOf.get(proof);
    if (known !== undefined) return known;
    placeOf.set(proof, proofs.length);
    return proofs.push(JSON.parse(proof) as Proof) - 1;
  };
  const cells = new Map<string, GridCell>();
  for (const result of results) {
    const row = rowOf.get(`${result.suite}\n${result.test}`);
    const column = columnOf.get(result.attempt_id);
    if (row === undefined || column === undefined) continue;
    const { role, verdict, duration_ms: durationMs, proof, log } = result;
    const key = `${row} ${column}`;
    const known = cells.get(key);
    if (known !== undefined && worstVerdict([known.verdict, verdict]) === known.verdict) continue;
    const reason = result.reason === null ? null : withRole(role, result.reason);
    cells.set(key, { row, column, verdict, reason, durationMs, proof: proof === null ? null : place(proof), log });
  }
  return { cells: [...cells.values()], proofs };
}
