import { Injectable } from '@nestjs/common';
import type { AttemptDetail, BootNumber, Combination, LogStream, ResultView } from '@peerlab/contracts';
import { AttemptView } from '../attempts/attempt.view.js';
import { BOOT } from '../platform/database/boot-number.js';
import { rawLogBytes } from '../attempts/stream-store.js';
import { columnsOf, floats, json, nullable, pick, word } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Build } from '../schema/builds.js';
import { Stream } from '../schema/logs.js';
import { AttemptFile, AttemptKernel, Measurement, Result } from '../schema/results.js';
import { Job, Run } from '../schema/runs.js';

const JOB = columnsOf(Job);
const CONTEXT = {
  ...pick(JOB, 'run_id', 'kind', 'build_id'),
  run_name: columnsOf(Run).name,
  job_id: JOB.id,
  build: columnsOf(Build).name,
  combination: nullable(json<Combination>()),
  boot: nullable(json<BootNumber>()),
};

const RESULT = columnsOf(Result);
const RESULT_VIEW = {
  ...pick(RESULT, 'suite', 'test', 'position', 'status', 'verdict', 'reason', 'proof', 'warnings', 'signature', 'log'),
  durationMs: RESULT.duration_ms,
};
const RESULT_COLUMNS = `suite, test, position, status, verdict, reason, duration_ms as "durationMs", proof, warnings,
  signature, log`;

const SIGHTING = pick(columnsOf(AttemptKernel), 'sighting');
const MEASUREMENT = {
  ...pick(columnsOf(Measurement), 'suite', 'test', 'name', 'unit', 'better', 'params', 'median'),
  samples: floats,
};
const FILE = {
  ...pick(columnsOf(AttemptFile), 'suite', 'name', 'sha256'),
  sizeBytes: columnsOf(AttemptFile).size_bytes,
};
const STREAM = {
  ...pick(columnsOf(Stream), 'expected', 'bytes', 'removed_at'),
  stream: word<LogStream>(),
  lines: columnsOf(Stream).next,
};

/** Reads one attempt with its evidence, without log lines. */
@Injectable()
export class AttemptDetailView {
  readonly #sql: Sql;
  readonly #attempts: AttemptView;

  constructor(sql: Sql, attempts: AttemptView) {
    this.#sql = sql;
    this.#attempts = attempts;
  }

  async read(id: string): Promise<AttemptDetail> {
    const [summary, context, kernels, results, measurements, files, streams] = await Promise.all([
      this.#attempts.summary(id),
      this.#sql.one(
        CONTEXT,
        `select j.run_id, r.name as run_name, j.id as job_id, j.kind, b.name as build, b.id as build_id,
           case when c.hash is not null
             then jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) end as combination,
           ${BOOT} as boot
         from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
           left join combination c on c.hash = j.combination where t.id = $1`,
        [id],
      ),
      this.#sql.rows(SIGHTING, 'select sighting from attempt_kernel where attempt_id = $1 order by seq', [id]),
      this.#sql.rows(
        RESULT_VIEW,
        `select ${RESULT_COLUMNS} from result where attempt_id = $1 order by position, suite, test`,
        [id],
      ),
      this.#sql.rows(
        MEASUREMENT,
        `select suite, test, name, unit, better, samples, params, median from measurement
         where attempt_id = $1 order by seq`,
        [id],
      ),
      this.#sql.rows(
        FILE,
        `select suite, name, sha256, size_bytes as "sizeBytes" from attempt_file where attempt_id = $1 order by suite, name`,
        [id],
      ),
      this.#sql.rows(
        STREAM,
        `select stream, next as lines, expected, bytes, removed_at from stream
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
      boot: context.boot,
      kernels: kernels.map(({ sighting }) => sighting),
      results,
      measurements,
      files,
      streams: streams.map(({ stream, lines, expected, bytes, removed_at }) => ({
        stream,
        lines,
        expected,
        bytes: removed_at === null ? rawLogBytes({ lines, bytes }) : 0,
        removedAt: removed_at?.toISOString() ?? null,
      })),
    };
  }

  /** One result of an attempt; 404 when the attempt has none of that name. */
  async result(attemptId: string, suite: string, test: string): Promise<ResultView> {
    const found = await this.#sql.one(
      RESULT_VIEW,
      `select ${RESULT_COLUMNS} from result where attempt_id = $1 and suite = $2 and test = $3`,
      [attemptId, suite, test],
    );
    if (found === null) throw notFound('result', `${suite}/${test}`);
    return found;
  }
}
