import { Injectable } from '@nestjs/common';
import type { HistoryEntry, TestedKernel, TestHistory } from '@peerlab/contracts';
import { readCombinations } from '../grid/combinations.js';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { ofKernels } from '../platform/database/purpose.js';
import { kernelOf, SIDE, SIDE_SQL, sideOf } from '../platform/database/role-kernel.js';
import { columnsOf, json, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import type { InputOf } from '../platform/http/serve.js';
import { Result } from '../schema/results.js';
import { Job } from '../schema/runs.js';

/** `kernel`: the name of build `b` with what its bundle `u` says. */
export const KERNEL = json<TestedKernel>();
const ENTRY = {
  ...pick(columnsOf(Result), 'attempt_id', 'verdict', 'reason', 'duration_ms', 'log', 'stored_at'),
  ...pick(columnsOf(Job), 'run_id', 'machine'),
  /** `stored_at` to the microsecond. */
  exact: text,
  run_name: text,
  kernel: KERNEL,
  combination: text,
  ...SIDE,
};

/** Name of build `b` with what its bundle `u` says of it. */
export const KERNEL_SQL = `jsonb_build_object('id', b.id, 'name', b.name, 'release', u.manifest -> 'release', 'buildId', u.manifest -> 'buildId', 'git', ${BUILT_GIT})`;

/** What one test said over time. */
@Injectable()
export class HistoryView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Newest first; of all attempts, also those that were retried or still run. Empty when nothing matches. */
  async read(query: InputOf<'getHistory'>['query']): Promise<TestHistory> {
    const { text: statement, values } = historySql(query);
    const rows = await this.#sql.rows(ENTRY, statement, values);
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    return {
      entries: shown.map(historyEntry),
      combinations: await readCombinations(this.#sql, new Set(shown.map(({ combination }) => combination))),
      next: rows.length > query.limit && last !== undefined ? `${last.exact}~${last.attempt_id}` : null,
    };
  }
}

/** One row more than the limit tells whether there are older ones. */
export function historySql(query: InputOf<'getHistory'>['query']): { text: string; values: unknown[] } {
  const values: unknown[] = [query.suite, query.test];
  const conditions = ['x.suite = $1', 'x.test = $2'];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  if (query.combination !== undefined) conditions.push(`j.combination = ${bind(query.combination)}`);
  if (query.build !== undefined) conditions.push(`b.name = ${bind(query.build)}`);
  if (query.before !== undefined) {
    const { at, id } = query.before;
    conditions.push(`(x.stored_at, x.attempt_id) < (${bind(at)}::timestamptz, ${bind(id)}::uuid)`);
  }
  const statement = `
    select x.attempt_id, x.verdict, x.reason, x.duration_ms, x.log, x.stored_at,
      to_char(x.stored_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as exact,
      j.run_id, r.name as run_name, ${KERNEL_SQL} as kernel, j.combination, ${SIDE_SQL},
      case when j.roles = 1 then j.machine
        else (select machine from participant where attempt_id = x.attempt_id and role = x.role) end as machine
    from result x join attempt t on t.id = x.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
      ${kernelOf('x.role')}
    where ${conditions.join(' and ')} and j.combination is not null and ${ofKernels()}
    order by x.stored_at desc, x.attempt_id desc limit ${bind(query.limit + 1)}`;
  return { text: statement, values };
}

function historyEntry(row: RowOf<typeof ENTRY>): HistoryEntry {
  return {
    attemptId: row.attempt_id,
    verdict: row.verdict,
    reason: row.reason,
    durationMs: row.duration_ms,
    log: row.log,
    at: row.stored_at.toISOString(),
    run: { id: row.run_id, name: row.run_name },
    kernel: row.kernel,
    ...sideOf(row),
    machine: row.machine,
    combination: row.combination,
  };
}
