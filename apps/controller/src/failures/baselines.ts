import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { BASELINES_MAX, type Baseline, type NewBaseline } from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { columnsOf, integer, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { storable } from '../platform/database/storable.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { BaselineRow } from '../schema/failures.js';
import { Bundle } from '../schema/builds.js';
import { endOfMark } from './end-of-mark.js';
import { FAILURE_VERDICTS, RESULTS } from './same-failure.js';

const BASELINE = { ...columnsOf(BaselineRow), failures: integer };
const TESTED = { build: text, manifest: nullable(pick(columnsOf(Bundle), 'manifest').manifest) };

/** Failures of a suite that are accepted for all kernels of one base. */
@Injectable()
export class Baselines {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Accepts all failures of a suite in an attempt of an untouched base. What was accepted for the two before ends. Throws a
   * 404 problem without such an attempt, and a 422 problem for a kernel with patches or a wrong end.
   */
  async accept(attempt: string, { suite, reason, until }: NewBaseline, by: string): Promise<Baseline> {
    const end = endOfMark(until);
    const kernels = await this.#sql.rows(
      TESTED,
      `select b.name as build, u.manifest from attempt t join job j on j.id = t.job_id
         join job_part part on part.job_id = j.id join build b on b.id = part.build_id
         left join bundle u on u.key = b.bundle_key
       where t.id = $1 and t.state = 'ended' and j.kind = 'test' order by part.position`,
      [attempt],
    );
    // Of several roles any one that is patched may be the reason of a failure, on either side.
    const tested = kernels.find(({ manifest }) => manifest === null || manifest.series.length > 0) ?? kernels[0];
    if (tested === undefined) throw notFound('ended attempt of a test', attempt);
    const { manifest } = tested;
    if (manifest === null || manifest.series.length > 0) {
      const why = manifest === null ? 'was not built' : `has ${manifest.series.length} patches`;
      throw new ProblemError(422, 'patched-baseline', 'a baseline is accepted from the untouched base', {
        detail: `the kernel ${tested.build} ${why}: accept the baseline from an attempt of a build with \`series: []\``,
      });
    }
    const id = randomUUID();
    const { sha256: base, version } = manifest.base;
    await this.#sql.transaction(async (tx) => {
      await tx.run(
        `update baseline set ended_at = clock_timestamp(), ended_by = $3 where suite = $1 and base = $2 and ended_at is null`,
        [suite, base, by],
      );
      await tx.run(
        `insert into baseline (id, suite, base, base_version, attempt_id, reason, by, until)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [id, suite, base, storable(version), attempt, storable(reason), by, end],
      );
      await tx.run(
        `insert into baseline_failure (baseline_id, test, failure)
         select distinct $1::uuid, ${RESULTS.test}, ${RESULTS.key} from ${RESULTS.rows}
         where ${RESULTS.attempt} = $2 and ${RESULTS.suite} = $3 and ${RESULTS.isFailure('$4')}`,
        [id, attempt, suite, FAILURE_VERDICTS],
      );
    });
    await announce(this.#sql, { type: 'changed', topics: ['grid'] });
    const [accepted] = await this.#read('l.id = $1', [id]);
    if (accepted === undefined) throw notFound('baseline', id);
    return accepted;
  }

  /** The newest one of each suite and base. */
  list(suite: string | null): Promise<Baseline[]> {
    return this.#read(
      `($1::text is null or l.suite = $1) and not exists (select 1 from baseline newer
         where newer.suite = l.suite and newer.base = l.base and newer.at > l.at)`,
      [suite],
    );
  }

  /** Withdraws one; false when there is no such. Does nothing when it has ended. */
  async end(id: string, by: string): Promise<boolean> {
    const isThere = await this.#sql.exists('select 1 from baseline where id = $1', [id]);
    await this.#sql.run(
      'update baseline set ended_at = clock_timestamp(), ended_by = $2 where id = $1 and ended_at is null',
      [id, by],
    );
    return isThere;
  }

  async #read(condition: string, values: unknown[]): Promise<Baseline[]> {
    const rows = await this.#sql.rows(
      BASELINE,
      `select l.*, (select count(*)::int from baseline_failure f where f.baseline_id = l.id) as failures
       from baseline l where ${condition} order by l.suite, l.at desc, l.id limit ${BASELINES_MAX}`,
      values,
    );
    return rows.map(baselineView);
  }
}

function baselineView(row: RowOf<typeof BASELINE>): Baseline {
  const { id, suite, reason, by, at, until, ended_by, ended_at, failures } = row;
  return {
    id,
    suite,
    base: { version: row.base_version, sha256: row.base },
    failures,
    attemptId: row.attempt_id,
    reason,
    by,
    at: at.toISOString(),
    until: until.toISOString(),
    ended: ended_by === null || ended_at === null ? null : { by: ended_by, at: ended_at.toISOString() },
  };
}
