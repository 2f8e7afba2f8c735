import { randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LEASE_SECONDS, SpoolStream } from '@peerlab/contracts';
import { isPgError } from '../platform/database/pg-error.js';
import { columnsOf, float, pick, type RowOf } from '../platform/database/row-shape.js';
import { prepared, type Queries } from '../platform/database/sql.js';
import { jsonb } from '../platform/database/storable.js';
import { Attempt, type BuildProgress, type StoredFailure, type StoredProgress } from '../schema/attempts.js';

const ATTEMPT = columnsOf(Attempt);

/** What a new attempt needs of a machine or a build slot. */
export interface NewParticipant {
  role: string;
  agent: string;
  /** Null for a build. */
  machine: string | null;
  /** Which of the agent's slots; null where the agent has no limit. */
  slot: number | null;
}

/** An attempt at a job: the machines of all its roles, or a build slot. */
export interface NewAttempt {
  jobId: string;
  participants: readonly NewParticipant[];
}

const NUMBERED = pick(ATTEMPT, 'job_id', 'number');

/** Another controller was first to lease the machine or the slot: both chose it on older snapshots. */
export class LeaseTaken extends Error {}

/** Unique indexes that let one of two controllers through; see schema/attempts.ts. */
const LEASE_INDEXES = new Set(['lease_machine_active', 'lease_slot_active', 'lease_test_slot_active']);
const UNIQUE_VIOLATION = '23505';
const NONCE_BYTES = 16;

// A fence that a machine made up must never become a real one there: agents may replace it.
const OPEN = prepared(
  `with tried as (
   insert into attempt (id, job_id, number, state)
   select t.id, t.job_id, (select coalesce(max(number), 0) + 1 from attempt a where a.job_id = t.job_id), 'assigned'
   from unnest($1::uuid[], $2::uuid[]) as t(id, job_id) returning job_id, number),
         wanted as (
   select w.*, nextval('lease_fence') as fence
   from jsonb_to_recordset($3) as w(id uuid, attempt uuid, role text, position int, agent text, machine text,
     slot int, nonce text)),
         drawn as materialized (
   select w.id, w.attempt, w.role, w.position, w.agent, w.machine, w.slot, w.nonce,
     case when w.fence = (select forged_fence from machine m where m.name = w.machine) then nextval('lease_fence')
       else w.fence end as fence
   from wanted w),
         placed as (
   insert into participant (id, attempt_id, role, position, state, agent, machine, fence, nonce)
   select id, attempt, role, position, 'assigned', agent, machine, fence, nonce from drawn),
         counted as (
   insert into stream (participant_id, stream) select d.id, s.name from drawn d, unnest($4::text[]) as s(name)),
         leased as (
   insert into lease (fence, participant_id, agent, machine, slot, expires_at)
   select fence, id, agent, machine, slot, clock_timestamp() + make_interval(secs => $5) from drawn)
       select job_id, number from tried`,
);

/** Opens, closes and removes attempts; participant-store.ts has what happens in between. */
@Injectable()
export class AttemptStore {
  /**
   * Stores attempts with all their participants, their leases and the counters of their streams, in one statement; returns
   * their numbers by job, from 1. Throws LeaseTaken when another controller leased a machine or a slot first; the
   * transaction is lost then, so that no attempt has a part of its machines.
   */
  async open(tx: Queries, attempts: readonly NewAttempt[]): Promise<Map<string, number>> {
    try {
      const rows = await this.#insert(tx, attempts);
      return new Map(rows.map(({ job_id: job, number }) => [job, number]));
    } catch (error) {
      if (!isPgError(error, UNIQUE_VIOLATION) || !LEASE_INDEXES.has(error.constraint ?? '')) throw error;
      const participants = attempts.flatMap((attempt) => attempt.participants);
      const wanted = participants.map(({ machine, agent }) => machine ?? `a slot of ${agent}`);
      throw new LeaseTaken(`the lease of ${wanted.join(' or ')} was taken`, { cause: error });
    }
  }

  async #insert(tx: Queries, attempts: readonly NewAttempt[]): Promise<RowOf<typeof NUMBERED>[]> {
    const opened = attempts.map((attempt) => ({ ...attempt, id: randomUUID() }));
    const placed = opened.flatMap(({ id: attempt, participants }) =>
      participants.map((participant, position) => ({
        ...participant,
        attempt,
        position,
        // The first one has the id of its attempt (schema/attempts.ts).
        id: position === 0 ? attempt : randomUUID(),
        // A secret of the participant that the kernel under test shows again.
        nonce: randomBytes(NONCE_BYTES).toString('hex'),
      })),
    );
    const rows = await tx.rows(NUMBERED, OPEN, [
      opened.map(({ id }) => id),
      opened.map(({ jobId }) => jobId),
      JSON.stringify(placed),
      SpoolStream.options,
      LEASE_SECONDS,
    ]);
    if (rows.length !== attempts.length) throw new Error(`${rows.length} of ${attempts.length} attempts were stored`);
    return rows;
  }

  /** Marks an attempt as ended whose participants have all ended. */
  async close(tx: Queries, id: string, failure: StoredFailure | null): Promise<void> {
    await tx.run(`update attempt set state = 'ended', failure = $2, ended_at = clock_timestamp() where id = $1`, [
      id,
      jsonb(failure),
    ]);
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

  /** Locks the attempts of a run, in the order that everything else locks them; returns the ids of all their participants. */
  async lockOfRun(tx: Queries, runId: string): Promise<{ attempts: string[]; participants: string[] }> {
    const attempts = await tx.rows(
      pick(ATTEMPT, 'id'),
      `select t.id from attempt t join job j on j.id = t.job_id where j.run_id = $1 order by t.id for update of t`,
      [runId],
    );
    const ids = attempts.map(({ id }) => id);
    const participants = await tx.rows(
      pick(ATTEMPT, 'id'),
      'select id from participant where attempt_id = any($1) order by id',
      [ids],
    );
    return { attempts: ids, participants: participants.map(({ id }) => id) };
  }

  /** Removes attempts whose log lines and results are gone already. */
  async remove(tx: Queries, attempts: readonly string[], participants: readonly string[]): Promise<void> {
    await tx.run('delete from stream where participant_id = any($1)', [participants]);
    await tx.run('delete from attempt_stage where participant_id = any($1)', [participants]);
    await tx.run('delete from attempt_kernel where participant_id = any($1)', [participants]);
    await tx.run('delete from lease where participant_id = any($1)', [participants]);
    await tx.run('delete from participant where attempt_id = any($1)', [attempts]);
    await tx.run('delete from attempt where id = any($1)', [attempts]);
  }
}
