import { Injectable } from '@nestjs/common';
import { LEASE_SECONDS, type KernelSighting, type PathKind, type StageView } from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { isPgError } from '../platform/database/pg-error.js';
import { jsonb, storable } from '../platform/database/storable.js';
import { bool, columnsOf, float, json, nullable, pick, text, word } from '../platform/database/row-shape.js';
import type { RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Attempt, type BuildProgress, type StoredFailure, type StoredProgress } from '../schema/attempts.js';
import { Build } from '../schema/builds.js';
import { Job } from '../schema/runs.js';

/** A suite of a bundle and its tests, in order. */
export interface SuiteOutline {
  name: string;
  tests: readonly string[];
}

const ATTEMPT = columnsOf(Attempt);
const JOB = columnsOf(Job);

const LOCKED_ATTEMPT = {
  ...pick(ATTEMPT, 'id', 'number', 'state', 'agent', 'machine', 'fence', 'job_id'),
  /** How it ended; of an attempt that was revoked, why. */
  failure: ATTEMPT.failure,
  ...pick(JOB, 'build_id', 'run_id', 'kind'),
  build: columnsOf(Build).name,
  path_kind: nullable(word<PathKind>()),
  suites: nullable(json<SuiteOutline[]>()),
  wanted: json<string[]>(),
  /** Suites that the run brings. */
  own_suites: nullable(json<{ name: string }[]>()),
};

/** A locked attempt with what its events are judged by. */
export type LockedAttempt = RowOf<typeof LOCKED_ATTEMPT>;

/** A new attempt: who works on which job, where, and in which of the agent's slots. */
export interface NewAttempt {
  id: string;
  jobId: string;
  agent: string;
  machine: string | null;
  /** Null where the agent has no limit. */
  slot: number | null;
  /** Secret of the attempt that the kernel under test shows again. */
  nonce: string;
}

/**
 * Why a frame of an attempt is refused: the sender has no such attempt (`unknown`), or it was taken
 * from it (`revoked`), which leaves it the right to report and no other.
 */
export class StaleFence extends Error {
  constructor(
    readonly code: 'revoked' | 'unknown',
    message: string,
  ) {
    super(message);
  }
}

/** Another controller was first to lease the machine or the slot: both chose it on older snapshots. */
export class LeaseTaken extends Error {}

/** Unique indexes that let one of two controllers through; see schema/attempts.ts. */
const LEASE_INDEXES = new Set(['lease_machine_active', 'lease_slot_active', 'lease_test_slot_active']);
const UNIQUE_VIOLATION = '23505';

/**
 * Writes attempts, leases, stages and kernel sightings, and checks who may report of an attempt. What an
 * attempt's end means for its job, build and machine is decided in dispatch/.
 */
@Injectable()
export class AttemptStore {
  /**
   * Stores an attempt with its lease; returns its number, from 1. Throws LeaseTaken when another controller leased
   * the machine or the slot first; the transaction is lost then.
   */
  async open(tx: Queries, attempt: NewAttempt): Promise<number> {
    try {
      return await this.#insert(tx, attempt);
    } catch (error) {
      if (isPgError(error, UNIQUE_VIOLATION) && LEASE_INDEXES.has(error.constraint ?? '')) {
        throw new LeaseTaken(`the lease of ${attempt.machine ?? `a slot of ${attempt.agent}`} was taken`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  async #insert(tx: Queries, { id, jobId, agent, machine, slot, nonce }: NewAttempt): Promise<number> {
    const stored = await tx.one(
      pick(ATTEMPT, 'number'),
      // A fence that a machine made up must never become a real one there: agents may replace it.
      `with next as (select nextval('lease_fence') as fence),
         drawn as (
           select case when fence = (select forged_fence from machine where name = $4::text) then nextval('lease_fence')
             else fence end as fence from next),
         tried as (
           insert into attempt (id, job_id, number, state, agent, machine, fence, nonce)
           select $1::uuid, $2::uuid, (select coalesce(max(number), 0) + 1 from attempt where job_id = $2), 'assigned',
             $3::text, $4::text, fence, $5::text from drawn
           returning number)
       insert into lease (fence, attempt_id, agent, machine, slot, expires_at)
       select fence, $1, $3, $4, $6::int, clock_timestamp() + make_interval(secs => $7) from drawn
       returning (select number from tried)`,
      [id, jobId, agent, machine, nonce, slot, LEASE_SECONDS],
    );
    if (stored === null) throw new Error(`attempt ${id} was not stored`);
    return stored.number;
  }

  /**
   * Locks the attempt until the transaction ends, and checks who may report about it: the agent
   * that was given it under this fence, for as long as it has something to report. Throws StaleFence
   * for others. Resolves to why the attempt was taken away, or to null while it was not.
   */
  async checkFence(
    tx: Queries,
    id: string,
    fence: number,
    agent: string,
    mode: 'share' | 'update',
  ): Promise<string | null> {
    const row = await tx.one(
      { ...pick(ATTEMPT, 'fence', 'agent'), revoked: bool, why: nullable(text) },
      `select fence, agent, revoked_at is not null as revoked, failure ->> 'message' as why
       from attempt where id = $1 for ${mode}`,
      [id],
    );
    if (row === null) throw new StaleFence('unknown', 'the attempt is not known');
    if (row.fence !== fence || row.agent !== agent) throw new StaleFence('unknown', `fence ${fence} is stale`);
    return row.revoked ? (row.why ?? 'the controller ended it') : null;
  }

  /** As checkFence, for a sender that wants to decide something: throws StaleFence for a revoked attempt, too. */
  async checkAuthority(tx: Queries, id: string, fence: number, agent: string): Promise<void> {
    const revoked = await this.checkFence(tx, id, fence, agent, 'update');
    if (revoked !== null) throw new StaleFence('revoked', revoked);
  }

  /** Locks an attempt and reads its surroundings. */
  async lock(tx: Queries, id: string): Promise<LockedAttempt> {
    await tx.run('select 1 from attempt where id = $1 for update', [id]);
    const row = await tx.one(
      LOCKED_ATTEMPT,
      `select t.id, t.number, t.state, t.agent, t.machine, t.fence, t.job_id, j.build_id, j.run_id, b.name as build,
         j.kind, j.path ->> 'kind' as path_kind, u.manifest -> 'suites' as suites, coalesce(to_jsonb(j.suites), r.spec -> 'suites') as wanted,
         r.spec -> 'ownSuites' as own_suites,
         t.failure
       from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
         left join bundle u on u.key = b.bundle_key where t.id = $1`,
      [id],
    );
    if (row === null) throw new StaleFence('unknown', 'the attempt is not known');
    return row;
  }

  /** The agent holds it now. */
  async accept(tx: Queries, attempt: LockedAttempt): Promise<void> {
    if (attempt.state !== 'assigned') return;
    await tx.run(`update attempt set state = 'running' where id = $1`, [attempt.id]);
    attempt.state = 'running';
    await announce(tx, { type: 'changed', topics: [`run:${attempt.run_id}`, 'machines'] });
  }

  /** running → assigned: nothing of it ever reached its agent, so it is given to it again. */
  async assignAgain(tx: Queries, id: string): Promise<void> {
    await tx.run(`update attempt set state = 'assigned' where id = $1`, [id]);
  }

  /**
   * Marks an attempt as ended and releases its lease: from here on the machine may be leased again, under a
   * higher fence; agent and machine refuse the older one.
   */
  async close(
    tx: Queries,
    attempt: LockedAttempt,
    { failure, restored, revoked }: { failure: StoredFailure | null; restored: boolean | null; revoked: boolean },
  ): Promise<void> {
    attempt.state = 'ended';
    await tx.run(
      `update attempt set state = 'ended', failure = $2, restored = $3, ended_at = clock_timestamp(),
         revoked_at = case when $4 then clock_timestamp() end where id = $1`,
      [attempt.id, jsonb(failure), restored, revoked],
    );
    await tx.run('update lease set released_at = clock_timestamp() where attempt_id = $1 and released_at is null', [
      attempt.id,
    ]);
  }

  /** What the agent of a revoked attempt reports about its machine. */
  async setRestored(tx: Queries, id: string, restored: boolean | null): Promise<void> {
    await tx.run('update attempt set restored = $2 where id = $1', [id, restored]);
  }

  /** The last progress report of a build, and the database's clock in milliseconds since 1970. */
  async progress(tx: Queries, id: string): Promise<{ progress: StoredProgress | null; nowMs: number }> {
    const row = await tx.one(
      { progress: ATTEMPT.progress, nowMs: float },
      `select progress, (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs" from attempt where id = $1`,
      [id],
    );
    if (row === null) throw new Error(`attempt ${id} is locked and not there`);
    return row;
  }

  async setProgress(tx: Queries, id: string, progress: BuildProgress): Promise<void> {
    await tx.run('update attempt set progress = $2 where id = $1', [id, jsonb(progress)]);
  }

  /** `at` is the agent's clock, milliseconds since 1970: durations stay true when a report arrives late. */
  async putStage(
    tx: Queries,
    attemptId: string,
    stage: Pick<StageView, 'stage' | 'status' | 'detail'>,
    at: number,
  ): Promise<void> {
    const ended = stage.status !== 'started';
    await tx.run(
      `insert into attempt_stage (attempt_id, stage, status, started_at, ended_at, detail)
       values ($1, $2, $3, to_timestamp($4::float8 / 1000), case when $5 then to_timestamp($4::float8 / 1000) end, $6)
       on conflict (attempt_id, stage) do update set status = excluded.status, ended_at = excluded.ended_at,
         detail = coalesce(excluded.detail, attempt_stage.detail)`,
      [attemptId, stage.stage, stage.status, at, ended, storable(stage.detail)],
    );
  }

  async putKernel(tx: Queries, attemptId: string, seq: number, sighting: KernelSighting): Promise<void> {
    await tx.run('insert into attempt_kernel (attempt_id, seq, sighting) values ($1, $2, $3)', [
      attemptId,
      seq,
      jsonb(sighting),
    ]);
  }

  /** Locks the attempts of a run, in the order that everything else locks them, with their streams; returns their ids. */
  async lockOfRun(tx: Queries, runId: string): Promise<string[]> {
    const attempts = await tx.rows(
      pick(ATTEMPT, 'id'),
      `select t.id from attempt t join job j on j.id = t.job_id where j.run_id = $1 order by t.id for update of t`,
      [runId],
    );
    return attempts.map(({ id }) => id);
  }

  /** Removes attempts whose log lines and results are gone already. */
  async remove(tx: Queries, ids: readonly string[]): Promise<void> {
    await tx.run('delete from stream where attempt_id = any($1)', [ids]);
    await tx.run('delete from attempt_stage where attempt_id = any($1)', [ids]);
    await tx.run('delete from attempt_kernel where attempt_id = any($1)', [ids]);
    await tx.run('delete from lease where attempt_id = any($1)', [ids]);
    await tx.run('delete from attempt where id = any($1)', [ids]);
  }
}
