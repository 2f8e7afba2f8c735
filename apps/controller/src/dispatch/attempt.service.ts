import { Injectable } from '@nestjs/common';
import { FAILURE_POLICY, FARM_SUITE, LEASE_SECONDS, verdictOfFailure } from '@peerlab/contracts';
import { AttemptStore, type LockedAttempt } from '../attempts/attempt-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { BuildService } from '../builds/build.service.js';
import { FleetService } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { columnsOf, nullable, pick, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { ResultStore, type TestContext } from '../verdicts/result-store.js';
import { JobQueue } from '../runs/job-queue.js';
import { suitesOfJob } from '../verdicts/unreached.js';
import { JobService, type LockedJob } from '../runs/job.service.js';
import { Build } from '../schema/builds.js';
import { Result } from '../schema/results.js';
import type { StoredFailure } from '../schema/attempts.js';

/** How an attempt ended. */
export interface Ending {
  failure: StoredFailure | null;
  /** null = a newer attempt restores the machine, or it is not known. false puts the machine into quarantine. */
  restored: boolean | null;
  /** Why the machine goes into quarantine; absent = the attempt could not restore it. */
  quarantineReason?: string | undefined;
  /** Ended by the controller: what the agent still sends of it is evidence and decides nothing. */
  revoked: boolean;
}

/** Ends attempts: settles their results, and ends or repeats their jobs. */
@Injectable()
export class AttemptService {
  readonly #store: AttemptStore;
  readonly #leases: LeaseStore;
  readonly #jobs: JobService;
  readonly #builds: BuildService;
  readonly #results: ResultStore;
  readonly #fleet: FleetService;
  readonly #queue: JobQueue;

  constructor(
    store: AttemptStore,
    leases: LeaseStore,
    jobs: JobService,
    builds: BuildService,
    results: ResultStore,
    fleet: FleetService,
    queue: JobQueue,
  ) {
    this.#store = store;
    this.#leases = leases;
    this.#jobs = jobs;
    this.#builds = builds;
    this.#results = results;
    this.#fleet = fleet;
    this.#queue = queue;
  }

  /** Ends an attempt once: releases its lease, settles its results, and ends or repeats its job. */
  async end(tx: Queries, attempt: LockedAttempt, ending: Ending): Promise<void> {
    if (attempt.state === 'ended') return;
    const job = await this.#jobs.lock(tx, attempt.job_id);
    if (job === null) throw new Error(`attempt ${attempt.id} has no job`);
    const failure = await this.#completeFailure(tx, attempt, ending.failure);
    await this.#store.close(tx, attempt, { failure, restored: ending.restored, revoked: ending.revoked });
    if (!ending.revoked) await this.#clearHeldAttempt(tx, attempt);
    if (ending.restored === false) await this.#quarantine(tx, attempt, ending.quarantineReason);
    const verdict = attempt.kind === 'test' ? await this.#results.settle(tx, testContext(attempt), failure) : null;
    if (await this.#mayRetry(tx, { attempt, job, ending, failure })) {
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

  /** Records what the agent of a revoked attempt reports about its machine at last. It decides nothing else. */
  async noteRestored(
    tx: Queries,
    attempt: LockedAttempt,
    { restored, quarantineReason }: Pick<Ending, 'restored' | 'quarantineReason'>,
  ): Promise<void> {
    await this.#store.setRestored(tx, attempt.id, restored);
    await this.#clearHeldAttempt(tx, attempt);
    if (restored === false) await this.#quarantine(tx, attempt, quarantineReason);
    await announce(tx, { type: 'changed', topics: ['machines'] });
  }

  /** Its agent has nothing on the machine any more; the next report would say the same. */
  async #clearHeldAttempt(tx: Queries, attempt: LockedAttempt): Promise<void> {
    if (attempt.machine !== null) await this.#fleet.clearHeldAttempt(tx, attempt.machine, attempt.id);
  }

  async #quarantine(tx: Queries, attempt: LockedAttempt, reason: string | undefined): Promise<void> {
    if (attempt.machine === null) return;
    // The agent's own words, which name what is wrong with the machine, came before the attempt's end.
    const result = await tx.one(
      pick(columnsOf(Result), 'reason'),
      `select reason from result where attempt_id = $1 and suite = $2 and test = 'restore'`,
      [attempt.id, FARM_SUITE],
    );
    const why = result?.reason == null ? '' : `: ${result.reason}`;
    const text = reason ?? `attempt ${attempt.id} could not restore it${why}; mend it, then activate it`;
    await this.#fleet.quarantine(tx, attempt.machine, text);
  }

  /** Ends one attempt if its lease is still expired. Its machine may be leased again at once, under a higher fence. */
  async reap(tx: Queries, id: string): Promise<boolean> {
    const attempt = await this.#store.lock(tx, id);
    if (!(await this.#leases.lockExpired(tx, id)) || attempt.state === 'ended') return false;
    const isCanceled = await tx.exists('select 1 from run where id = $1 and cancel_requested', [attempt.run_id]);
    const message =
      attempt.state === 'assigned'
        ? `agent ${attempt.agent} did not take the work within ${LEASE_SECONDS} s`
        : `agent ${attempt.agent} gave no sign of life for ${LEASE_SECONDS} s`;
    await this.end(tx, attempt, {
      failure: { class: isCanceled ? 'canceled' : 'infrastructure', stage: null, message, signature: null },
      restored: null,
      revoked: true,
    });
    return true;
  }

  async #completeFailure(
    tx: Queries,
    attempt: LockedAttempt,
    failure: StoredFailure | null,
  ): Promise<StoredFailure | null> {
    if (failure !== null || attempt.kind === 'test') return failure;
    const build = await tx.one(
      { state: columnsOf(Build).state, problem: nullable(text) },
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

  /** Retries are bounded by class; nothing is repeated on a machine that could not be restored, but another may take it. */
  async #mayRetry(
    tx: Queries,
    {
      attempt,
      job,
      ending,
      failure,
    }: { attempt: LockedAttempt; job: LockedJob; ending: Ending; failure: StoredFailure | null },
  ): Promise<boolean> {
    if (failure === null || job.cancel_requested || attempt.number > FAILURE_POLICY[failure.class].retries)
      return false;
    return ending.restored !== false || this.#queue.hasActiveMachine(tx, job.id);
  }

  async #giveUpBuild(tx: Queries, attempt: LockedAttempt, failure: StoredFailure): Promise<void> {
    await this.#builds.markFailed(tx, attempt.build_id, null);
    const verdict = FAILURE_POLICY[failure.class].finding ? 'not-reached' : verdictOfFailure(failure.class);
    await this.#jobs.abandon(tx, attempt.build_id, verdict, `the build ${attempt.build} failed: ${failure.message}`);
  }
}

/** The context of a test attempt's results. */
export function testContext(attempt: LockedAttempt): TestContext {
  return {
    attemptId: attempt.id,
    pathKind: attempt.path_kind ?? 'NOT_SUPPORTED',
    suites: suitesOfJob(attempt.suites ?? [], attempt.own_suites ?? [], attempt.wanted),
    wanted: attempt.wanted,
  };
}
