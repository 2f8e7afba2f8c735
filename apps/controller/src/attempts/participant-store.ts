import { Injectable } from '@nestjs/common';
import {
  attemptStateOf,
  type BundleManifest,
  type ClockOffset,
  type KernelSighting,
  type PathKind,
  type StageView,
} from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { bool, columnsOf, float, json, nullable, pick, text, word } from '../platform/database/row-shape.js';
import type { RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { jsonb, storable } from '../platform/database/storable.js';
import { Attempt, Participant, type StoredFailure } from '../schema/attempts.js';
import { Build } from '../schema/builds.js';
import { Job } from '../schema/runs.js';

/** A suite of a bundle and its tests, in order. */
export interface SuiteOutline {
  name: string;
  tests: readonly string[];
}

const PARTICIPANT = columnsOf(Participant);
const JOB = columnsOf(Job);

const LOCKED_PARTICIPANT = {
  ...pick(PARTICIPANT, 'id', 'attempt_id', 'role', 'state', 'agent', 'machine', 'fence'),
  /** How it ended; of one that was revoked, why. */
  failure: PARTICIPANT.failure,
  prediction: PARTICIPANT.prediction,
  number: columnsOf(Attempt).number,
  attempt_state: columnsOf(Attempt).state,
  job_id: JOB.id,
  ...pick(JOB, 'build_id', 'run_id', 'kind'),
  build: columnsOf(Build).name,
  path_kind: nullable(word<PathKind>()),
  suites: nullable(json<SuiteOutline[]>()),
  /** Of the bundle's manifest. */
  files: nullable(json<BundleManifest['files']>()),
  wanted: json<string[]>(),
  /** Suites that the run brings. */
  own_suites: nullable(json<{ name: string }[]>()),
};

/** A participant whose attempt is locked, with what its events are judged by. */
export type LockedParticipant = RowOf<typeof LOCKED_PARTICIPANT>;

const SIDE = pick(PARTICIPANT, 'id', 'role', 'state', 'agent', 'machine', 'failure', 'restored');

/** One of the participants of a locked attempt. */
export type Side = RowOf<typeof SIDE>;

/**
 * Why a frame of a participant is refused: the sender has no such participant (`unknown`), or it was taken
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

/**
 * Writes participants, their stages and kernel sightings, and checks who may report of one. A participant is locked by
 * the row of its attempt, so that its peers cannot change meanwhile. What its end means for attempt, job, build and
 * machine is decided in dispatch/.
 */
@Injectable()
export class ParticipantStore {
  /**
   * Locks the attempt until the transaction ends, and checks who may report about this participant: the agent
   * that was given it under this fence, for as long as it has something to report. Throws StaleFence
   * for others. Resolves to why the participant was taken away, or to null while it was not.
   */
  async checkFence(
    tx: Queries,
    id: string,
    fence: number,
    agent: string,
    mode: 'share' | 'update',
  ): Promise<{ attemptId: string; revoked: string | null }> {
    // Its own row too: only a locked row is read again after the wait.
    const row = await tx.one(
      { ...pick(PARTICIPANT, 'attempt_id', 'fence', 'agent'), revoked: bool, why: nullable(text) },
      `select p.attempt_id, p.fence, p.agent, p.revoked_at is not null as revoked, p.failure ->> 'message' as why
       from attempt t join participant p on p.attempt_id = t.id where p.id = $1 for ${mode} of t, p`,
      [id],
    );
    if (row === null) throw new StaleFence('unknown', 'the attempt is not known');
    if (row.fence !== fence || row.agent !== agent) throw new StaleFence('unknown', `fence ${fence} is stale`);
    return { attemptId: row.attempt_id, revoked: row.revoked ? (row.why ?? 'the controller ended it') : null };
  }

  /** As checkFence, for a sender that wants to decide something: throws StaleFence for a revoked participant, too. */
  async checkAuthority(tx: Queries, id: string, fence: number, agent: string): Promise<void> {
    const { revoked } = await this.checkFence(tx, id, fence, agent, 'update');
    if (revoked !== null) throw new StaleFence('revoked', revoked);
  }

  /** Locks the attempt of a participant and reads its surroundings. */
  async lock(tx: Queries, id: string): Promise<LockedParticipant> {
    await tx.run('select 1 from attempt t join participant p on p.attempt_id = t.id where p.id = $1 for update of t', [
      id,
    ]);
    const row = await tx.one(
      LOCKED_PARTICIPANT,
      `select p.id, p.attempt_id, p.role, p.state, p.agent, p.machine, p.fence, p.failure, p.prediction, t.number,
         t.state as attempt_state, t.job_id, part.build_id, j.run_id, b.name as build, j.kind,
         part.path ->> 'kind' as path_kind, u.manifest -> 'suites' as suites, u.manifest -> 'files' as files,
         coalesce(to_jsonb(part.suites), r.spec -> 'suites') as wanted, r.spec -> 'ownSuites' as own_suites
       from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
         join job_part part on part.job_id = j.id and part.position = p.position
         join run r on r.id = j.run_id join build b on b.id = part.build_id left join bundle u on u.key = b.bundle_key
       where p.id = $1`,
      [id],
    );
    if (row === null) throw new StaleFence('unknown', 'the attempt is not known');
    return row;
  }

  /** All participants of a locked attempt, in the order of their roles. */
  sides(tx: Queries, attemptId: string): Promise<Side[]> {
    return tx.rows(
      SIDE,
      `select id, role, state, agent, machine, failure, restored from participant where attempt_id = $1 order by position`,
      [attemptId],
    );
  }

  /** The agent holds it now. */
  async accept(tx: Queries, participant: LockedParticipant): Promise<void> {
    if (participant.state !== 'assigned') return;
    await this.#move(tx, participant, 'running');
    await announce(tx, { type: 'changed', topics: [`run:${participant.run_id}`, 'machines'] });
  }

  /** running → assigned: nothing of it ever reached its agent, so it is given to it again. */
  async assignAgain(tx: Queries, participant: LockedParticipant): Promise<void> {
    await this.#move(tx, participant, 'assigned');
  }

  async #move(tx: Queries, participant: LockedParticipant, state: 'assigned' | 'running'): Promise<void> {
    await tx.run('update participant set state = $2 where id = $1', [participant.id, state]);
    participant.state = state;
    const all = await this.sides(tx, participant.attempt_id);
    const attemptState = attemptStateOf(all.map((side) => side.state));
    if (attemptState === participant.attempt_state) return;
    await tx.run('update attempt set state = $2 where id = $1', [participant.attempt_id, attemptState]);
    participant.attempt_state = attemptState;
  }

  /**
   * Marks a participant as ended and releases its lease: from here on the machine may be leased again, under a
   * higher fence; agent and machine refuse the older one.
   */
  async close(
    tx: Queries,
    participant: LockedParticipant,
    { failure, restored, revoked }: { failure: StoredFailure | null; restored: boolean | null; revoked: boolean },
  ): Promise<void> {
    participant.state = 'ended';
    await tx.run(
      `update participant set state = 'ended', failure = $2, restored = $3, ended_at = clock_timestamp(),
         revoked_at = case when $4 then clock_timestamp() end where id = $1`,
      [participant.id, jsonb(failure), restored, revoked],
    );
    await tx.run('update lease set released_at = clock_timestamp() where participant_id = $1 and released_at is null', [
      participant.id,
    ]);
  }

  /**
   * Whether the boot before this one on its machine, since a person activated it last, ended in the same trouble as this one did.
   * Attempts that ended before their boot was over, and those that were revoked or stopped, say nothing.
   */
  async isTroubledAgain(
    tx: Queries,
    { machine, fence, failure }: Pick<LockedParticipant, 'machine' | 'fence' | 'failure'>,
  ): Promise<boolean> {
    if (machine === null || failure?.trouble === undefined) return false;
    return tx.exists(
      `select 1 from (
         select p.failure ->> 'trouble' as trouble, p.started_at from participant p
         where p.machine = $1 and p.fence < $2 and p.state = 'ended' and p.revoked_at is null
           and (p.failure ->> 'trouble' is not null or coalesce(p.failure ->> 'class', '') not in ('canceled', 'peer')
             and exists (select 1 from attempt_stage s
               where s.participant_id = p.id and s.stage = 'boot' and s.status in ('passed', 'failed')))
         order by p.fence desc limit 1) before
       where before.trouble = $3 and before.started_at > coalesce(
         (select m.desired_at from machine m where m.name = $1 and m.desired = 'active'), '-infinity')`,
      [machine, fence, failure.trouble],
    );
  }

  /** What the agent of a revoked participant reports about its machine. */
  async setRestored(tx: Queries, id: string, restored: boolean | null): Promise<void> {
    await tx.run('update participant set restored = $2 where id = $1', [id, restored]);
  }

  /**
   * Notes how the clock of an agent stands to the database's, for those of its participants whose peers may have another
   * clock. Returns the database's time, in milliseconds since 1970.
   */
  async noteClock(
    queries: Queries,
    agent: string,
    held: readonly { participantId: string }[],
    clock: ClockOffset | undefined,
  ): Promise<number> {
    const ids = clock === undefined ? [] : held.map(({ participantId }) => participantId);
    const row = await queries.one(
      { now: float },
      `with noted as (
         update participant p set clock_offset_ms = $3, clock_error_ms = $4
         where p.id = any($2::uuid[]) and p.agent = $1 and p.state <> 'ended'
           and p.clock_offset_ms is distinct from $3::float8
           and exists (select 1 from participant o where o.attempt_id = p.attempt_id and o.id <> p.id))
       select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
      [agent, ids, clock?.offsetMs ?? 0, clock?.errorMs ?? 0],
    );
    if (row === null) throw new Error('the query for the time returned no row');
    return row.now;
  }

  /** `at` is the agent's clock, milliseconds since 1970: durations stay true when a report arrives late. */
  async putStage(
    tx: Queries,
    participantId: string,
    stage: Pick<StageView, 'stage' | 'status' | 'detail'>,
    at: number,
  ): Promise<void> {
    const ended = stage.status !== 'started';
    await tx.run(
      `insert into attempt_stage (participant_id, stage, status, started_at, ended_at, detail)
       values ($1, $2, $3, to_timestamp($4::float8 / 1000), case when $5 then to_timestamp($4::float8 / 1000) end, $6)
       on conflict (participant_id, stage) do update set status = excluded.status, ended_at = excluded.ended_at,
         detail = coalesce(excluded.detail, attempt_stage.detail)`,
      [participantId, stage.stage, stage.status, at, ended, storable(stage.detail)],
    );
  }

  async putKernel(tx: Queries, participantId: string, seq: number, sighting: KernelSighting): Promise<void> {
    await tx.run('insert into attempt_kernel (participant_id, seq, sighting) values ($1, $2, $3)', [
      participantId,
      seq,
      jsonb(sighting),
    ]);
  }
}
