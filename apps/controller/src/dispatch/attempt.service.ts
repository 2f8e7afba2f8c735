import { Injectable } from '@nestjs/common';
import {
  cutText,
  FAILURE_POLICY,
  FARM_SUITE,
  LEASE_SECONDS,
  sumUpFailure,
  verdictOfFailure,
  worstVerdict,
  type BootTrouble,
  type Verdict,
} from '@peerlab/contracts';
import { AttemptStore } from '../attempts/attempt-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { expectedOf } from '../attempts/path-predictions.js';
import { ParticipantStore, type LockedParticipant, type Side } from '../attempts/participant-store.js';
import { BuildService } from '../builds/build.service.js';
import { CrashStore } from '../crashes/crash-store.js';
import { FleetService } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { columnsOf, nullable, pick, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { ResultStore, type TestContext } from '../verdicts/result-store.js';
import { TestQueue } from '../runs/test-queue.js';
import { suitesOfJob } from '../verdicts/unreached.js';
import { JobService, type LockedJob } from '../runs/job.service.js';
import { Build } from '../schema/builds.js';
import { Result } from '../schema/results.js';
import type { StoredFailure } from '../schema/attempts.js';

/** How a participant ended. */
export interface Ending {
  failure: StoredFailure | null;
  /** null = a newer attempt restores the machine, or it is not known. false puts the machine into quarantine. */
  restored: boolean | null;
  /** Why the machine goes into quarantine; absent = the attempt could not restore it. */
  quarantineReason?: string | undefined;
  /** Ended by the controller: what the agent still sends of it is evidence and decides nothing. */
  revoked: boolean;
}

/** What is said of a machine after two boots that ended like this. */
const TROUBLES: Record<BootTrouble, { found: string; remedy: string }> = {
  'not-taken': {
    found: 'its boot loader did not take the selected entry',
    remedy: 'prove the boot loader with peerlab machine check --act',
  },
  fallback: {
    found: 'it came back only after a reset, and with its default kernel,',
    remedy:
      'look on its console at why a reboot does not end, and prove the boot loader with peerlab machine check --act',
  },
};
/** What is quoted of a failure, in characters. */
const TROUBLE_MAX = 600;

/** Ends participants, and with the last one their attempt: settles its results, and ends or repeats its job. */
@Injectable()
export class AttemptService {
  readonly #store: AttemptStore;
  readonly #participants: ParticipantStore;
  readonly #leases: LeaseStore;
  readonly #jobs: JobService;
  readonly #builds: BuildService;
  readonly #results: ResultStore;
  readonly #fleet: FleetService;
  readonly #queue: TestQueue;
  readonly #crashes: CrashStore;

  constructor(
    store: AttemptStore,
    participants: ParticipantStore,
    leases: LeaseStore,
    jobs: JobService,
    builds: BuildService,
    results: ResultStore,
    fleet: FleetService,
    queue: TestQueue,
    crashes: CrashStore,
  ) {
    this.#store = store;
    this.#participants = participants;
    this.#leases = leases;
    this.#jobs = jobs;
    this.#builds = builds;
    this.#results = results;
    this.#fleet = fleet;
    this.#queue = queue;
    this.#crashes = crashes;
  }

  /**
   * Ends a participant once and releases its lease. The last one of its attempt ends that; the first one that failed
   * stops the others.
   */
  async end(tx: Queries, participant: LockedParticipant, ending: Ending): Promise<void> {
    if (participant.state === 'ended') return;
    const job = await this.#jobs.lock(tx, participant.job_id);
    if (job === null) throw new Error(`attempt ${participant.attempt_id} has no job`);
    const failure = await this.#completeFailure(tx, participant, ending.failure);
    await this.#participants.close(tx, participant, { failure, restored: ending.restored, revoked: ending.revoked });
    if (!ending.revoked) await this.#clearHeld(tx, participant);
    if (participant.kind === 'test') await this.#crashes.requestSearch(tx, participant.id);
    if (ending.restored === false) await this.#quarantine(tx, participant, ending.quarantineReason);
    if (!ending.revoked) await this.#quarantineTroubled(tx, { ...participant, failure });
    const sides = await this.#participants.sides(tx, participant.attempt_id);
    const open = sides.filter(({ state }) => state !== 'ended');
    if (open.length === 0) await this.#endAttempt(tx, participant, job, sides);
    else if (failure !== null) await this.#stopPeers(tx, participant, failure, open);
    await announce(tx, { type: 'changed', topics: ['machines', 'builds'] }, { type: 'dispatch' });
    // An agent that still works on it is told at once, not with its next heartbeat.
    if (ending.revoked) await announce(tx, { type: 'agent-work', agent: participant.agent });
  }

  /** All participants have ended: the attempt ends, its results are settled, its job ends or is repeated. */
  async #endAttempt(tx: Queries, last: LockedParticipant, job: LockedJob, sides: readonly Side[]): Promise<void> {
    const failure = sumUpFailure<StoredFailure>(sides);
    await this.#store.close(tx, last.attempt_id, failure);
    last.attempt_state = 'ended';
    const verdict = last.kind === 'test' ? await this.#settle(tx, sides, failure) : null;
    if (await this.#mayRetry(tx, last.number, job, sides, failure)) {
      if (last.kind === 'build') await this.#builds.markBuilding(tx, last.build_id, false);
      await this.#jobs.requeue(tx, job, last.number);
    } else {
      if (last.kind === 'build' && failure !== null) await this.#giveUpBuild(tx, last, failure);
      await this.#jobs.end(tx, job, verdict ?? (failure === null ? 'pass' : verdictOfFailure(failure.class)));
    }
  }

  /** Settles the results of each participant; returns the worst verdict. */
  async #settle(tx: Queries, sides: readonly Side[], failure: StoredFailure | null): Promise<Verdict> {
    const verdicts: Verdict[] = [];
    for (const { id, role } of sides) {
      const context = testContext(await this.#participants.lock(tx, id));
      // What failed beside the lab's trouble on either side may have failed for it: each side works with the other one.
      const isSpoiled = failure?.role !== role || verdictOfFailure(failure.class) === 'infra';
      const failedPeer = failure?.role !== undefined && isSpoiled ? failure : null;
      verdicts.push(await this.#results.settle(tx, context, failure, failedPeer));
    }
    return worstVerdict(verdicts) ?? 'not-reached';
  }

  /**
   * The participants that go on without the one that failed. Those that no agent has accepted are withdrawn; the
   * others are stopped by the next order for their agents (ReconcileService), and restore their machines.
   */
  async #stopPeers(
    tx: Queries,
    { role }: LockedParticipant,
    failure: StoredFailure,
    open: readonly Side[],
  ): Promise<void> {
    for (const { id, state, agent } of open) {
      if (state !== 'assigned') {
        await announce(tx, { type: 'agent-work', agent });
        continue;
      }
      const peer = await this.#participants.lock(tx, id);
      await this.end(tx, peer, {
        failure: {
          class: 'peer',
          stage: null,
          message: `withdrawn before its agent took it: participant ${role} failed: ${failure.message}`,
          signature: null,
        },
        restored: null,
        revoked: true,
      });
    }
  }

  /** Records what the agent of a revoked participant reports about its machine at last. It decides nothing else. */
  async noteRestored(
    tx: Queries,
    participant: LockedParticipant,
    { restored, quarantineReason }: Pick<Ending, 'restored' | 'quarantineReason'>,
  ): Promise<void> {
    await this.#participants.setRestored(tx, participant.id, restored);
    // Its last lines came before this.
    if (participant.kind === 'test') await this.#crashes.requestSearch(tx, participant.id);
    await this.#clearHeld(tx, participant);
    if (restored === false) await this.#quarantine(tx, participant, quarantineReason);
    await announce(tx, { type: 'changed', topics: ['machines'] });
  }

  /** Its agent has nothing on the machine any more; the next report would say the same. */
  async #clearHeld(tx: Queries, { machine, id }: LockedParticipant): Promise<void> {
    if (machine !== null) await this.#fleet.clearHeldParticipant(tx, machine, id);
  }

  async #quarantine(tx: Queries, participant: LockedParticipant, reason: string | undefined): Promise<void> {
    const { machine, attempt_id: attemptId, role } = participant;
    if (machine === null) return;
    // The agent's own words, which name what is wrong with the machine, came before the participant's end.
    const result = await tx.one(
      pick(columnsOf(Result), 'reason'),
      `select reason from result where attempt_id = $1 and role = $2 and suite = $3 and test = 'restore'`,
      [attemptId, role, FARM_SUITE],
    );
    const why = result?.reason == null ? '' : `: ${result.reason}`;
    const text = reason ?? `attempt ${attemptId} could not restore it${why}; mend it, then activate it`;
    await this.#fleet.quarantine(tx, machine, text);
  }

  /** The machine did not boot what was selected, twice in a row: the queue must not be spent on it. */
  async #quarantineTroubled(tx: Queries, participant: LockedParticipant): Promise<void> {
    const { machine, failure, attempt_id: attemptId } = participant;
    if (machine === null || failure?.trouble === undefined) return;
    if (!(await this.#participants.isTroubledAgain(tx, participant))) return;
    const { found, remedy } = TROUBLES[failure.trouble];
    const message = cutText(failure.message, TROUBLE_MAX);
    await this.#fleet.quarantine(
      tx,
      machine,
      `${found} in two boots in a row, the last in attempt ${attemptId}: ${message}; ${remedy}, then activate it`,
    );
  }

  /** Ends one participant if its lease is still expired. Its machine may be leased again at once, under a higher fence. */
  async reap(tx: Queries, id: string): Promise<boolean> {
    const participant = await this.#participants.lock(tx, id);
    if (!(await this.#leases.lockExpired(tx, id)) || participant.state === 'ended') return false;
    const isCanceled = await tx.exists('select 1 from run where id = $1 and cancel_requested', [participant.run_id]);
    const message =
      participant.state === 'assigned'
        ? `agent ${participant.agent} did not take the work within ${LEASE_SECONDS} s`
        : `agent ${participant.agent} gave no sign of life for ${LEASE_SECONDS} s`;
    await this.end(tx, participant, {
      failure: { class: isCanceled ? 'canceled' : 'infrastructure', stage: null, message, signature: null },
      restored: null,
      revoked: true,
    });
    return true;
  }

  async #completeFailure(
    tx: Queries,
    participant: LockedParticipant,
    failure: StoredFailure | null,
  ): Promise<StoredFailure | null> {
    if (failure !== null || participant.kind === 'test') return failure;
    const build = await tx.one(
      { state: columnsOf(Build).state, problem: nullable(text) },
      `select state, error ->> 'detail' as problem from build where id = $1`,
      [participant.build_id],
    );
    if (build?.state === 'ready') return null;
    return {
      class: 'agent-bug',
      stage: 'upload',
      message: build?.problem ?? 'the build ended well, but its bundle was not uploaded',
      signature: null,
    };
  }

  /**
   * Retries are bounded by class; nothing is repeated on a machine that was quarantined for how it ended, but another may take
   * it.
   */
  async #mayRetry(
    tx: Queries,
    number: number,
    job: LockedJob,
    sides: readonly Side[],
    failure: StoredFailure | null,
  ): Promise<boolean> {
    if (failure === null || job.cancel_requested || number > FAILURE_POLICY[failure.class].retries) return false;
    const isFit = sides.every(({ restored, failure: own }) => restored !== false && own?.trouble === undefined);
    return isFit || this.#queue.hasActiveMachines(tx, job.id);
  }

  async #giveUpBuild(tx: Queries, participant: LockedParticipant, failure: StoredFailure): Promise<void> {
    const { build_id: buildId, build } = participant;
    await this.#jobs.lockBlockedBy(tx, buildId);
    await this.#builds.markFailed(tx, buildId, null);
    const verdict = FAILURE_POLICY[failure.class].finding ? 'not-reached' : verdictOfFailure(failure.class);
    await this.#jobs.abandon(tx, buildId, verdict, `the build ${build} failed: ${failure.message}`);
  }
}

/** The context of a participant's results. */
export function testContext(participant: LockedParticipant): TestContext {
  return {
    attemptId: participant.attempt_id,
    role: participant.role,
    expected: expectedOf(participant.prediction, participant.path_kind),
    prediction: participant.prediction,
    suites: suitesOfJob(participant.suites ?? [], participant.own_suites ?? [], participant.wanted),
    wanted: participant.wanted,
  };
}
