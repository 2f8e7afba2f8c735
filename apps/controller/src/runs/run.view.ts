import { Injectable } from '@nestjs/common';
import {
  pairOf,
  SUSPECTS_MAX,
  type AttemptSummary,
  type BootNumber,
  type Combination,
  type JobView,
  type ListedRun,
  type RunDetail,
  type RunProgress,
  type RunSummary,
} from '@peerlab/contracts';
import { AttemptView } from '../attempts/attempt.view.js';
import { readSuspects } from '../attempts/suspects.js';
import { BOOT } from '../platform/database/boot-number.js';
import { goesBefore } from './order.js';
import { columnsOf, integer, json, nullable, pick, text, time, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { timeCursorSql } from '../platform/database/time-cursor.js';
import { notFound } from '../platform/http/problem.js';
import type { InputOf } from '../platform/http/serve.js';
import { Job, Run } from '../schema/runs.js';
import { StorageMeter } from '../storage/storage.js';
import type { JobForecast } from './line-forecast.js';
import { QueueView } from './queue.view.js';
import { runConditions } from './run-filter.js';
import { progressOf } from './run-progress.js';
import { competes, readCandidates, rolesColumn, wishKey, type RoleWish } from './candidates.js';
import { BUILDERS } from './waiting-facts.js';
import { whyWaiting, type RoleFacts } from './waiting.js';

const RUN = columnsOf(Run);
const LISTED_RUN = { ...RUN, cursor: text };
const PIN = { by: text, reason: nullable(text), at: time };
type StoredRun = RowOf<typeof RUN>;

const JOB_OF_RUN = {
  ...pick(columnsOf(Job), 'id', 'kind', 'build_id', 'state', 'verdict', 'machine', 'path', 'note'),
  build: text,
  config: nullable(text),
  combination: nullable(json<Combination>()),
  boot: nullable(json<BootNumber>()),
  /** ISO 8601; null when it is not paused. */
  paused_until: nullable(text),
  ahead: integer,
  /** A build that is not there yet and whose turn comes before; null when none has. */
  turn_of: nullable(text),
  builders: integer,
  /** Of a test that has not ended. */
  roles: json<RoleWish[]>(),
  same_labels: columnsOf(Job).same_labels,
};
type JobOfRun = RowOf<typeof JOB_OF_RUN>;

/** Reads runs as the API shows them. */
@Injectable()
export class RunView {
  readonly #sql: Sql;
  readonly #attempts: AttemptView;
  readonly #queue: QueueView;
  readonly #storage: StorageMeter;

  constructor(sql: Sql, attempts: AttemptView, queue: QueueView, storage: StorageMeter) {
    this.#sql = sql;
    this.#attempts = attempts;
    this.#queue = queue;
    this.#storage = storage;
  }

  async summary(id: string): Promise<RunSummary> {
    const row = await this.#row(id);
    return runSummary(row, await this.#progress([row]));
  }

  /** Runs that the filter lets through, from the newest on; with `before` those after that place in the list. */
  async list({ before, limit, ...filter }: InputOf<'listRuns'>['query']): Promise<ListedRun[]> {
    const { sql, values } = runConditions(filter, 4);
    const rows = await this.#sql.rows(
      LISTED_RUN,
      `select *, ${timeCursorSql('created_at', 'id')} as cursor from run
       where ($1::timestamptz is null or (created_at, id) < ($1, $2::uuid)) and ${sql}
       order by created_at desc, id desc limit $3`,
      [before?.at ?? null, before?.id ?? null, limit, ...values],
    );
    const progress = await this.#progress(rows);
    return rows.map((row) => ({ ...runSummary(row, progress), cursor: row.cursor }));
  }

  async detail(id: string): Promise<RunDetail> {
    const [row, pin] = await Promise.all([this.#row(id), this.#pin(id)]);
    const [jobs, attempts, hasRoom, progress, suspects] = await Promise.all([
      this.#jobs(id),
      this.#attempts.ofRun(id),
      this.#storage.hasRoom(),
      this.#progress([row]),
      readSuspects(this.#sql, { runId: id }),
    ]);
    const open = jobs.filter(({ state }) => state !== 'ended');
    const candidates = await readCandidates(
      this.#sql,
      open.flatMap(({ roles }) => roles.map(({ wish }) => wish)),
    );
    const forecasts = await this.#queue.forecastOf(id, open, candidates);
    const ends = open.map((job) => forecasts.get(job.id)?.endsInMs ?? null);
    return {
      ...runSummary(row, progress),
      spec: row.spec,
      yaml: row.yaml,
      jobViews: jobs.map((job) =>
        jobView(job, {
          attempts: attempts.get(job.id) ?? [],
          forecast: forecasts.get(job.id) ?? UNKNOWN,
          roles: job.roles.map(({ role, combination, wish }) => ({
            role,
            combination,
            machines: candidates.get(wishKey(wish)) ?? [],
          })),
          storageFull: !hasRoom,
        }),
      ),
      endsInMs: open.length === 0 || ends.includes(null) ? null : Math.max(...ends.map((ms) => ms ?? 0)),
      suspects: suspects.slice(0, SUSPECTS_MAX),
      pin: pin === null ? null : { ...pin, at: pin.at.toISOString() },
    };
  }

  async #progress(rows: readonly Pick<StoredRun, 'id' | 'state'>[]): Promise<Map<string, RunProgress>> {
    const open = rows.filter(({ state }) => state !== 'ended').map(({ id }) => id);
    return open.length === 0 ? new Map() : progressOf(this.#sql, open, !(await this.#storage.hasRoom()));
  }

  #pin(id: string): Promise<RowOf<typeof PIN> | null> {
    return this.#sql.one(PIN, 'select pinned_by as by, reason, pinned_at as at from run_pin where run_id = $1', [id]);
  }

  async #row(id: string): Promise<StoredRun> {
    const row = await this.#sql.one(RUN, 'select * from run where id = $1', [id]);
    if (row === null) throw notFound('run', id);
    return row;
  }

  async #jobs(runId: string): Promise<JobOfRun[]> {
    return this.#sql.rows(
      JOB_OF_RUN,
      `select j.id, j.kind, b.name as build, b.id as build_id, j.state, j.verdict, j.machine, j.path, j.note,
         case when j.kind = 'build' and exists (
             select 1 from build o where o.run_id = j.run_id and o.name = b.name and o.id <> b.id)
           then b.spec ->> 'config' end as config,
         case when c.hash is not null
           then jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) end as combination,
         ${BOOT} as boot,
         case when j.not_before > clock_timestamp()
           then to_char(j.not_before at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end as paused_until,
         case when j.state <> 'queued' then 0 else (
           select count(*) from job o
           where o.state = 'queued' and o.kind = j.kind and ${competes('o', 'j')}
             and ${goesBefore('o', 'j')}) end as ahead,
         case when j.round is not null and j.state = 'queued' then (
           select e.build_name from job e where e.run_id = j.run_id and e.lane = j.lane and e.position < j.position
             and e.round is not null and e.state = 'blocked' order by e.position limit 1) end as turn_of,
         ${BUILDERS} as builders,
         case when j.state <> 'ended' and j.kind = 'test' then ${rolesColumn('j')} else '[]' end as roles, j.same_labels
       from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
         left join combination c on c.hash = j.combination
       where j.run_id = $1 order by j.position, j.id`,
      [runId],
    );
  }
}

const UNKNOWN: JobForecast = { startsInMs: null, endsInMs: null, estimate: null };

function jobView(
  job: JobOfRun,
  {
    attempts,
    forecast: { startsInMs, endsInMs, estimate },
    roles,
    storageFull,
  }: { attempts: AttemptSummary[]; forecast: JobForecast; roles: readonly RoleFacts[]; storageFull: boolean },
): JobView {
  const { id, kind, build, build_id: buildId, state, verdict, machine, combination, note, ahead, builders } = job;
  const waiting = whyWaiting({
    kind,
    state,
    build: buildsOf(job),
    ahead,
    turnOf: job.turn_of,
    startsInMs,
    builders,
    storageFull,
    note,
    combination: combination?.label ?? null,
    machines: roles.length === 1 ? (roles[0]?.machines ?? []) : [],
    roles: roles.length === 1 ? [] : roles,
    sameLabels: job.same_labels,
    pausedUntil: job.paused_until,
    attempts: attempts.length,
  });
  return {
    id,
    kind,
    build,
    buildId,
    ...(job.config === null ? {} : { config: job.config }),
    state,
    verdict,
    machine,
    combination,
    pair: pairOf(job.path),
    boot: job.boot,
    waiting,
    endsInMs,
    estimate,
    attempts,
  };
}

/** The build that a job waits for, or all of them where its roles have several. */
const buildsOf = ({ build, roles }: JobOfRun): string => {
  const missing = roles.filter(({ isBuilt }) => !isBuilt).map((role) => role.build);
  return missing.length === 0 ? build : [...new Set(missing)].join(', ');
};

function runSummary(row: StoredRun, progress: ReadonlyMap<string, RunProgress>): RunSummary {
  return {
    id: row.id,
    name: row.name,
    purpose: row.purpose,
    state: row.state,
    verdict: row.state === 'ended' ? row.verdict : null,
    counts: row.counts,
    jobs: { total: row.jobs_total, ended: row.jobs_ended },
    progress: progress.get(row.id) ?? null,
    trigger: { kind: row.trigger_kind, detail: row.trigger_detail },
    builds: row.spec.builds.map(({ name }) => name),
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
    cancelRequested: row.cancel_requested,
  };
}
