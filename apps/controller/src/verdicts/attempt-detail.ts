import { Injectable } from '@nestjs/common';
import {
  ROLES_MAX,
  type AttemptDetail,
  type BootNumber,
  type Combination,
  type LogStream,
  type ResultEvidence,
  type StreamView,
  type Suspect,
} from '@peerlab/contracts';
import { AttemptView } from '../attempts/attempt.view.js';
import { readSuspects } from '../attempts/suspects.js';
import { BOOT } from '../platform/database/boot-number.js';
import { rawLogBytes } from '../attempts/stream-store.js';
import { columnsOf, floats, json, nullable, pick, word, type RowOf } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Build } from '../schema/builds.js';
import { Stream } from '../schema/logs.js';
import { AttemptFile, AttemptKernel, Measurement, Result } from '../schema/results.js';
import { Job, Run } from '../schema/runs.js';
import { worstOfRoles } from './packed-verdicts.js';

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
  ...pick(
    RESULT,
    'role',
    'suite',
    'test',
    'position',
    'status',
    'verdict',
    'reason',
    'proof',
    'warnings',
    'signature',
    'log',
  ),
  durationMs: RESULT.duration_ms,
};
const RESULT_COLUMNS = `x.role, x.suite, x.test, x.position, x.status, x.verdict, x.reason, x.duration_ms as "durationMs",
  x.proof, x.warnings, x.signature, x.log`;

const SIGHTING = pick(columnsOf(AttemptKernel), 'participant_id', 'sighting');
const MEASUREMENT = {
  ...pick(columnsOf(Measurement), 'role', 'suite', 'test', 'name', 'unit', 'better', 'params', 'median'),
  samples: floats,
};
const FILE = {
  ...pick(columnsOf(AttemptFile), 'role', 'suite', 'name', 'sha256'),
  sizeBytes: columnsOf(AttemptFile).size_bytes,
};
const STREAM = {
  ...pick(columnsOf(Stream), 'participant_id', 'expected', 'bytes', 'removed_at'),
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

  /** All of one moment: an attempt that ends meanwhile is not shown running with the results of its end. */
  read(id: string): Promise<AttemptDetail> {
    return this.#sql.snapshot((queries) => this.#read(queries, id));
  }

  async #read(queries: Queries, id: string): Promise<AttemptDetail> {
    const summary = await this.#attempts.summary(queries, id);
    const context = await queries.one(
      CONTEXT,
      `select j.run_id, r.name as run_name, j.id as job_id, j.kind, b.name as build, b.id as build_id,
           case when c.hash is not null
             then jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) end as combination,
           ${BOOT} as boot
         from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
           left join combination c on c.hash = j.combination where t.id = $1`,
      [id],
    );
    const kernels = await queries.rows(
      SIGHTING,
      `select k.participant_id, k.sighting from participant p join attempt_kernel k on k.participant_id = p.id
         where p.attempt_id = $1 order by k.seq`,
      [id],
    );
    const results = await queries.rows(
      RESULT_VIEW,
      `select ${RESULT_COLUMNS} from result x where x.attempt_id = $1 order by x.position, x.suite, x.test, x.role`,
      [id],
    );
    const measurements = await queries.rows(
      MEASUREMENT,
      `select role, suite, test, name, unit, better, samples, params, median from measurement
         where attempt_id = $1 order by role, seq`,
      [id],
    );
    const files = await queries.rows(
      FILE,
      `select role, suite, name, sha256, size_bytes as "sizeBytes" from attempt_file
         where attempt_id = $1 order by suite, name, role`,
      [id],
    );
    const streams = await queries.rows(
      STREAM,
      `select s.participant_id, s.stream, s.next as lines, s.expected, s.bytes, s.removed_at
         from participant p join stream s on s.participant_id = p.id
         where p.attempt_id = $1 and s.stream <> 'events' and (s.next > 0 or s.expected > 0) order by s.stream`,
      [id],
    );
    const suspects = await suspectsOf(queries, id);
    if (summary === null || context === null) throw notFound('attempt', id);
    const participants = summary.participants.map((participant) => ({
      ...participant,
      kernels: kernels.flatMap(({ participant_id: owner, sighting }) => (owner === participant.id ? [sighting] : [])),
      streams: streams.flatMap((row) => (row.participant_id === participant.id ? [streamView(row)] : [])),
    }));
    return {
      ...summary,
      participants,
      run: { id: context.run_id, name: context.run_name },
      jobId: context.job_id,
      kind: context.kind,
      build: context.build,
      buildId: context.build_id,
      combination: context.combination,
      boot: context.boot,
      kernels: participants[0]?.kernels ?? [],
      results,
      measurements,
      files,
      streams: participants[0]?.streams ?? [],
      suspects,
    };
  }

  /**
   * One result of an attempt with those of the same test by its other participants: of the role that is asked for, else
   * the one whose verdict stands in the grid. 404 when the attempt has none of that name.
   */
  async result(
    attemptId: string,
    { suite, test, role }: { suite: string; test: string; role?: string | undefined },
  ): Promise<ResultEvidence> {
    const all = await this.#sql.rows(
      RESULT_VIEW,
      `select ${RESULT_COLUMNS} from result x where x.attempt_id = $1 and x.suite = $2 and x.test = $3 order by x.role`,
      [attemptId, suite, test],
    );
    const [found] = role === undefined ? worstOfRoles(all, () => test) : all.filter((each) => each.role === role);
    if (found === undefined) throw notFound('result', `${suite}/${test}`);
    const others = all.filter((each) => each !== found);
    return { ...found, suspects: await suspectsOf(this.#sql, attemptId), others };
  }
}

async function suspectsOf(queries: Queries, attemptId: string): Promise<Suspect[]> {
  const rows = await readSuspects(queries, { attemptId });
  return rows.slice(0, ROLES_MAX).map(({ attemptId: _attempt, ...suspect }) => suspect);
}

function streamView({ stream, lines, expected, bytes, removed_at }: RowOf<typeof STREAM>): StreamView {
  return {
    stream,
    lines,
    expected,
    bytes: removed_at === null ? rawLogBytes({ lines, bytes }) : 0,
    removedAt: removed_at?.toISOString() ?? null,
  };
}
