import { Injectable } from '@nestjs/common';
import type { AttemptCrashes, BuiltGit, CallPlace } from '@peerlab/contracts';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { columnsOf, integer, json, nullable, pick } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { Build } from '../schema/builds.js';
import { CrashRow } from '../schema/crashes.js';
import { CALL_SOURCES } from './call-sources.js';
import { CrashStore } from './crash-store.js';

const OWN = {
  ...columnsOf(CrashRow),
  role: pick(columnsOf(Participant), 'role').role,
  earlier: integer,
  sources: json<CallPlace[]>(),
  build_id: pick(columnsOf(Build), 'id').id,
  git: nullable(json<BuiltGit>()),
  patches: integer,
};

/** Reads the crashes of one attempt. */
@Injectable()
export class AttemptCrashesView {
  readonly #sql: Sql;
  readonly #store: CrashStore;

  constructor(sql: Sql, store: CrashStore) {
    this.#sql = sql;
    this.#store = store;
  }

  /** Throws a 404 problem when there is no such attempt. */
  async of(attempt: string): Promise<AttemptCrashes> {
    if (!(await this.#sql.exists('select 1 from attempt where id = $1', [attempt]))) throw notFound('attempt', attempt);
    const isOpen = await this.#sql.exists(
      `select 1 from attempt t join job j on j.id = t.job_id where t.id = $1 and t.state <> 'ended' and j.kind = 'test'`,
      [attempt],
    );
    const waiting = await this.#store.pending(attempt);
    const rows = await this.#sql.rows(
      OWN,
      `select c.*, p.role, seen.earlier, ${CALL_SOURCES} as sources, b.id as build_id, ${BUILT_GIT} as git,
         coalesce(jsonb_array_length(u.manifest -> 'series'), 0) as patches from crash c join participant p on p.id = c.participant_id
         join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
         join job_part part on part.job_id = j.id and part.role = p.role join build b on b.id = part.build_id
         left join bundle u on u.key = b.bundle_key
         cross join lateral (
           select count(distinct ot.id)::int as earlier from crash o join participant op on op.id = o.participant_id
             join attempt ot on ot.id = op.attempt_id join job oj on oj.id = ot.job_id join run orun on orun.id = oj.run_id and orun.purpose = r.purpose
           where o.key = c.key and orun.created_at < r.created_at) seen
       where p.attempt_id = $1 order by c.severity <> 'crash', c.corrupted, c.at, c.key`,
      [attempt],
    );
    return {
      crashes: rows.map(({ key, title, type, severity, corrupted, stream, times, frames, taint, ...row }) => ({
        key,
        title,
        type,
        severity,
        corrupted,
        stream,
        times,
        frames,
        taint,
        role: row.role,
        startLine: row.start_line,
        endLine: row.end_line,
        suite: row.suite,
        test: row.test,
        earlier: row.earlier,
        sources: row.sources,
        buildId: row.build_id,
        git: row.git,
        patches: row.patches,
      })),
      pending: isOpen || waiting > 0,
    };
  }
}
