import { Injectable } from '@nestjs/common';
import {
  FAILURE_POLICY,
  FARM_SUITE,
  LEASE_SECONDS,
  verdictOfFailure,
  type AttemptState,
  type PathKind,
  type SpoolStream,
} from '@peerlab/contracts';
import { BuildService } from '../builds/build.service.js';
import { FleetService } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { jsonb } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';
import { ResultStore, type TestContext } from '../verdicts/result-store.js';
import type { SuiteOutline } from '../verdicts/unreached.js';
import { JobService, type JobRow } from '../runs/job.service.js';
import type { StoredFailure } from '../schema/attempts.js';

/** A locked attempt with what its events are judged by. */
export interface LockedAttempt {
  id: string;
  number: number;
  state: AttemptState;
  agent: string;
  machine: string | null;
  fence: number;
  job_id: string;
  build_id: string;
  run_id: string;
  build: string;
  kind: 'build' | 'test';
  path_kind: PathKind | null;
  suites: SuiteOutline[] | null;
  wanted: string[];
  /** How it ended; of an attempt that was revoked, why. */
  failure: StoredFailure | null;
}

/** How an attempt came to its end. */
export interface Ending {
  failure: StoredFailure | null;
  /** null = a newer attempt restores the machine, or it is not known. false puts the machine into quarantine. */
  restored: boolean | null;
  /** Why the machine goes into quarantine; absent = the attempt could not restore it. */
  quarantineReason?: string | undefined;
  /** Ended by the controller: what the agent still sends of it is evidence and decides nothing. */
  revoked: boolean;
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

/** Locks, fences and ends attempts. */
@Injectable()
export class AttemptService {
  readonly #jobs: JobService;
  readonly #builds: BuildService;
  readonly #results: ResultStore;
  readonly #fleet: FleetService;

  constructor(jobs: JobService, builds: BuildService, results: ResultStore, fleet: FleetService) {
    this.#jobs = jobs;
    this.#builds = builds;
    this.#results = results;
    this.#fleet = fleet;
  }

  /**
   * Holds the attempt as it is until the transaction ends, and tells who may report of it: the agent
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
    const row = await tx.one<{ fence: number; agent: string; revoked: boolean; why: string | null }>(
      `select fence, agent, revoked_at is not null as revoked, failure ->> 'message' as why
       from attempt where id = $1 for ${mode}`,
      [id],
    );
    if (row === null) throw new StaleFence('unknown', 'the attempt is not known');
    if (row.fence !== fence || row.agent !== agent) throw new StaleFence('unknown', `fence ${fence} is stale`);
    return row.revoked ? (row.why ?? 'the controller ended it') : null;
  }

  /** As checkFence, for whoever wants to decide something: throws StaleFence when the attempt was taken away, too. */
  async checkAuthority(tx: Queries, id: string, fence: number, agent: string): Promise<void> {
    const revoked = await this.checkFence(tx, id, fence, agent, 'update');
    if (revoked !== null) throw new StaleFence('revoked', revoked);
  }

  /** Locks an attempt and reads its surroundings. */
  async lock(tx: Queries, id: string): Promise<LockedAttempt> {
    await tx.one('select 1 from attempt where id = $1 for update', [id]);
    const row = await tx.one<LockedAttempt>(
      `select t.id, t.number, t.state, t.agent, t.machine, t.fence, t.job_id, j.build_id, j.run_id, b.name as build,
         j.kind, j.path ->> 'kind' as path_kind, u.manifest -> 'suites' as suites, coalesce(to_jsonb(j.suites), r.spec -> 'suites') as wanted,
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

  /** Ends an attempt once: releases its lease, settles its results, and ends or repeats its job. */
  async end(tx: Queries, attempt: LockedAttempt, ending: Ending): Promise<void> {
    if (attempt.state === 'ended') return;
    const job = await this.#jobs.lock(tx, attempt.job_id);
    if (job === null) throw new Error(`attempt ${attempt.id} has no job`);
    const failure = await this.#completeFailure(tx, attempt, ending.failure);
    attempt.state = 'ended';
    await tx.run(
      `update attempt set state = 'ended', failure = $2, restored = $3, ended_at = clock_timestamp(),
         revoked_at = case when $4 then clock_timestamp() end where id = $1`,
      [attempt.id, jsonb(failure), ending.restored, ending.revoked],
    );
    // From here on the machine may be leased again, under a higher fence: agent and machine refuse the older one.
    await tx.run('update lease set released_at = clock_timestamp() where attempt_id = $1 and released_at is null', [
      attempt.id,
    ]);
    if (!ending.revoked) await this.#letGo(tx, attempt);
    if (ending.restored === false) await this.#quarantine(tx, attempt, ending.quarantineReason);
    const verdict = attempt.kind === 'test' ? await this.#results.settle(tx, testContext(attempt), failure) : null;
    if (mayRetry(attempt, job, ending, failure)) {
      if (attempt.kind === 'build') await this.#builds.markBuilding(tx, attempt.build_id, false);
      await this.#jobs.requeue(tx, job, attempt.number);
    } else {
      if (attempt.kind === 'build' && failure !== null) await this.#giveUpBuild(tx, attempt, failure);
      await this.#jobs.end(tx, job, verdict ?? (failure === null ? 'pass' : verdictOfFailure(failure.class)));
    }
    await announce(tx, { type: 'changed', topics: ['machines', 'builds'] }, { type: 'dispatch' });
    // An agent that still works on it is told at once, not with its next heartbeat.
    if (ending.revoked) await announce(tx, { type: 'agent-work', agent: attempt.agent });
  }

  /** What the agent of a revoked attempt says in the end of its machine. Nothing else is decided by it. */
  async noteRestored(
    tx: Queries,
    attempt: LockedAttempt,
    { restored, quarantineReason }: Pick<Ending, 'restored' | 'quarantineReason'>,
  ): Promise<void> {
    await tx.run('update attempt set restored = $2 where id = $1', [attempt.id, restored]);
    await this.#letGo(tx, attempt);
    if (restored === false) await this.#quarantine(tx, attempt, quarantineReason);
    await announce(tx, { type: 'changed', topics: ['machines'] });
  }

  /** Its agent has nothing on the machine any more; the next report would say the same. */
  async #letGo(tx: Queries, attempt: LockedAttempt): Promise<void> {
    if (attempt.machine !== null) await this.#fleet.letGo(tx, attempt.machine, attempt.id);
  }

  async #quarantine(tx: Queries, attempt: LockedAttempt, reason: string | undefined): Promise<void> {
    if (attempt.machine === null) return;
    // The agent's own words, which name what is wrong with the machine, came before the attempt's end.
    const result = await tx.one<{ reason: string | null }>(
      `select reason from result where attempt_id = $1 and suite = $2 and test = 'restore'`,
      [attempt.id, FARM_SUITE],
    );
    const why = result?.reason == null ? '' : `: ${result.reason}`;
    const text = reason ?? `attempt ${attempt.id} could not restore it${why}; mend it, then activate it`;
    await this.#fleet.quarantine(tx, attempt.machine, text);
  }

  /** Attempts whose lease ran out, the oldest first. */
  async expired(queries: Queries): Promise<string[]> {
    const rows = await queries.rows<{ attempt_id: string }>(
      'select attempt_id from lease where released_at is null and expires_at < clock_timestamp() order by fence',
    );
    return rows.map((row) => row.attempt_id);
  }

  /** Ends one attempt if its lease is still run out. Its machine may be leased again at once, under a higher fence. */
  async reap(tx: Queries, id: string): Promise<boolean> {
    const attempt = await this.lock(tx, id);
    const lease = await tx.one(
      `select 1 from lease where attempt_id = $1 and released_at is null and expires_at < clock_timestamp() for update`,
      [id],
    );
    if (lease === null || attempt.state === 'ended') return false;
    const canceled = await tx.one('select 1 from run where id = $1 and cancel_requested', [attempt.run_id]);
    const message =
      attempt.state === 'assigned'
        ? `agent ${attempt.agent} did not take the work within ${LEASE_SECONDS} s`
        : `agent ${attempt.agent} gave no sign of life for ${LEASE_SECONDS} s`;
    await this.end(tx, attempt, {
      failure: { class: canceled === null ? 'infrastructure' : 'canceled', stage: null, message, signature: null },
      restored: null,
      revoked: true,
    });
    return true;
  }

  /** What is stored of an attempt by stream. */
  async acknowledged(queries: Queries, id: string): Promise<Partial<Record<SpoolStreamName, number>>> {
    const rows = await queries.rows<{ stream: SpoolStreamName; next: number }>(
      'select stream, next from stream where attempt_id = $1',
      [id],
    );
    return Object.fromEntries(rows.map(({ stream, next }) => [stream, next]));
  }

  async #completeFailure(
    tx: Queries,
    attempt: LockedAttempt,
    failure: StoredFailure | null,
  ): Promise<StoredFailure | null> {
    if (failure !== null || attempt.kind === 'test') return failure;
    const build = await tx.one<{ state: string; problem: string | null }>(
      `select state, error ->> 'detail' as problem from build where id = $1`,
      [attempt.build_id],
    );
    if (build?.state === 'ready') return null;
    return {
      class: 'agent-bug',
      stage: 'upload',
      message: build?.problem ?? 'the build ended well, but its bundle was not uploaded',
      signature: null,
    };
  }

  async #giveUpBuild(tx: Queries, attempt: LockedAttempt, failure: StoredFailure): Promise<void> {
    await this.#builds.markFailed(tx, attempt.build_id, null);
    const verdict = FAILURE_POLICY[failure.class].finding ? 'not-reached' : verdictOfFailure(failure.class);
    await this.#jobs.abandon(tx, attempt.build_id, verdict, `the build ${attempt.build} failed: ${failure.message}`);
  }
}

type SpoolStreamName = (typeof SpoolStream)['options'][number];

/** Retries are bounded by class; nothing is repeated on a machine that could not be restored. */
function mayRetry(attempt: LockedAttempt, job: JobRow, ending: Ending, failure: StoredFailure | null): boolean {
  if (failure === null || job.cancel_requested || ending.restored === false) return false;
  return attempt.number <= FAILURE_POLICY[failure.class].retries;
}

/** The context of a test attempt's results. */
export function testContext(attempt: LockedAttempt): TestContext {
  return {
    attemptId: attempt.id,
    pathKind: attempt.path_kind ?? 'NOT_SUPPORTED',
    suites: attempt.suites ?? [],
    wanted: attempt.wanted,
  };
}
