import { Injectable } from '@nestjs/common';
import type {
  AttemptDetail,
  Combination,
  KernelSighting,
  LogStream,
  MeasurementView,
  ResultView,
} from '@peerlab/contracts';
import { AttemptView } from '../attempts/attempt.view.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';

interface ContextRow {
  run_id: string;
  run_name: string;
  job_id: string;
  kind: 'build' | 'test';
  build: string;
  build_id: string;
  combination: Combination | null;
}

const RESULT_COLUMNS = `suite, test, position, status, verdict, reason, duration_ms as "durationMs", proof, warnings,
  signature, log`;

/** Reads one attempt with all its evidence but the log lines. */
@Injectable()
export class AttemptDetailView {
  readonly #sql: Sql;
  readonly #attempts: AttemptView;

  constructor(sql: Sql, attempts: AttemptView) {
    this.#sql = sql;
    this.#attempts = attempts;
  }

  async read(id: string): Promise<AttemptDetail> {
    const [summary, context, kernels, results, measurements, streams] = await Promise.all([
      this.#attempts.summary(id),
      this.#sql.one<ContextRow>(
        `select j.run_id, r.name as run_name, j.id as job_id, j.kind, b.name as build, b.id as build_id,
           case when c.hash is not null
             then jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) end as combination
         from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
           left join combination c on c.hash = j.combination where t.id = $1`,
        [id],
      ),
      this.#sql.rows<{ sighting: KernelSighting }>(
        'select sighting from attempt_kernel where attempt_id = $1 order by seq',
        [id],
      ),
      this.#sql.rows<ResultView>(
        `select ${RESULT_COLUMNS} from result where attempt_id = $1 order by position, suite, test`,
        [id],
      ),
      this.#sql.rows<MeasurementView>(
        `select suite, test, name, unit, better, samples, params, median from measurement
         where attempt_id = $1 order by seq`,
        [id],
      ),
      this.#sql.rows<{ stream: LogStream; lines: number; expected: number | null; removed_at: Date | null }>(
        `select stream, next as lines, expected, removed_at from stream
         where attempt_id = $1 and stream <> 'events' and (next > 0 or expected > 0) order by stream`,
        [id],
      ),
    ]);
    if (summary === null || context === null) throw notFound('attempt', id);
    return {
      ...summary,
      run: { id: context.run_id, name: context.run_name },
      jobId: context.job_id,
      kind: context.kind,
      build: context.build,
      buildId: context.build_id,
      combination: context.combination,
      kernels: kernels.map(({ sighting }) => sighting),
      results,
      measurements,
      streams: streams.map(({ stream, lines, expected, removed_at }) => ({
        stream,
        lines,
        expected,
        removedAt: removed_at?.toISOString() ?? null,
      })),
    };
  }

  /** One result of an attempt; 404 when the attempt has none of that name. */
  async result(attemptId: string, suite: string, test: string): Promise<ResultView> {
    const found = await this.#sql.one<ResultView>(
      `select ${RESULT_COLUMNS} from result where attempt_id = $1 and suite = $2 and test = $3`,
      [attemptId, suite, test],
    );
    if (found === null) throw notFound('result', `${suite}/${test}`);
    return found;
  }
}
