import { Injectable } from '@nestjs/common';
import {
  describeBuildError,
  whyNotMeasured,
  type AttemptEvent,
  type FromAgent,
  type SequencedEvent,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AttemptStore } from '../attempts/attempt-store.js';
import { ParticipantStore, type LockedParticipant } from '../attempts/participant-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { BuildService } from '../builds/build.service.js';
import { CrashStore } from '../crashes/crash-store.js';
import { AttemptService, testContext } from './attempt.service.js';
import { judgeRestored } from './restored.js';
import { announce } from '../platform/database/bus.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { FROM_CACHE } from '../attempts/attempt.view.js';
import { nextProgress } from '../runs/build-forecast.js';
import { JobService } from '../runs/job.service.js';
import { rollUpRun } from '../runs/rollup.js';
import { ResultStore } from '../verdicts/result-store.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';

type EventsFrame = Pick<Extract<FromAgent, { type: 'events' }>, 'participantId' | 'fence' | 'events'>;

/** Events that count only from participants of one kind; the others come from both. */
const KIND_OF_EVENT: Partial<Record<AttemptEvent['type'], LockedParticipant['kind']>> = {
  kernel: 'test',
  plan: 'test',
  result: 'test',
  measurement: 'test',
  'call-places': 'test',
  'build-progress': 'build',
  built: 'build',
  'build-failed': 'build',
};

/** Events that may write the job, and before it its build or machine. */
const LOCKS_JOB: ReadonlySet<AttemptEvent['type']> = new Set(['built', 'build-failed', 'finished']);

/** Applies a participant's events in order and exactly once: counter and effect share a transaction. */
@Injectable()
export class EventIntake {
  readonly #sql: Sql;
  readonly #store: AttemptStore;
  readonly #participants: ParticipantStore;
  readonly #streams: StreamStore;
  readonly #attempts: AttemptService;
  readonly #results: ResultStore;
  readonly #builds: BuildService;
  readonly #jobs: JobService;
  readonly #verdicts: VerdictRows;
  readonly #crashes: CrashStore;

  constructor(
    sql: Sql,
    store: AttemptStore,
    participants: ParticipantStore,
    streams: StreamStore,
    attempts: AttemptService,
    results: ResultStore,
    builds: BuildService,
    jobs: JobService,
    verdicts: VerdictRows,
    crashes: CrashStore,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#participants = participants;
    this.#streams = streams;
    this.#attempts = attempts;
    this.#results = results;
    this.#builds = builds;
    this.#jobs = jobs;
    this.#verdicts = verdicts;
    this.#crashes = crashes;
  }

  /**
   * Stores what extends the sequence and skips what is there already; after a gap nothing is taken. Of a
   * participant that was revoked the evidence is kept, but nothing is decided by it any more.
   * Returns how many events are stored now. Throws StaleFence.
   */
  async take(agent: string, frame: EventsFrame): Promise<number> {
    const { next, ended } = await this.#storeEvents(agent, frame);
    if (ended !== null) await this.#packVerdicts(ended);
    return next;
  }

  /** `ended`: the attempt that one of these events ended. */
  async #storeEvents(
    agent: string,
    { participantId, fence, events }: EventsFrame,
  ): Promise<{ next: number; ended: string | null }> {
    return this.#sql.transaction(async (tx) => {
      const { revoked } = await this.#participants.checkFence(tx, participantId, fence, agent, 'update');
      const participant = await this.#participants.lock(tx, participantId);
      const before = participant.attempt_state;
      const first = await this.#streams.lockNext(tx, participantId, 'events');
      let next = first;
      let resultsChanged = false;
      for (const event of events) {
        if (event.seq > next) break;
        if (event.seq < next) continue;
        resultsChanged = (await this.#apply(tx, participant, event, revoked !== null)) || resultsChanged;
        next += 1;
      }
      if (next === first) return { next, ended: null };
      await this.#streams.advance(tx, participantId, 'events', next);
      if (resultsChanged) await rollUpRun(tx, participant.run_id);
      await announce(tx, { type: 'changed', topics: [`run:${participant.run_id}`] });
      const { attempt_state: after, attempt_id: attemptId } = participant;
      return { next, ended: before !== after && after === 'ended' ? attemptId : null };
    });
  }

  /** Or the first grid that shows hundreds of new attempts would do it. What fails is done by that grid. */
  async #packVerdicts(attemptId: string): Promise<void> {
    try {
      await this.#verdicts.pack([attemptId], 1);
    } catch (err) {
      log.warn({ err, attempt: attemptId }, 'attempt-verdicts-not-packed');
    }
  }

  /**
   * Stores one event. Of a revoked participant it is evidence alone, without a say in any verdict, job, build
   * or lease. True when the run has to be summed up again.
   */
  async #apply(
    tx: Queries,
    participant: LockedParticipant,
    { seq, at, event }: SequencedEvent,
    revoked: boolean,
  ): Promise<boolean> {
    // An agent that reports of a participant holds it, even if its "accepted" was lost.
    if (!revoked) await this.#participants.accept(tx, participant);
    const only = KIND_OF_EVENT[event.type];
    if (only !== undefined && only !== participant.kind) {
      log.warn({ participant: participant.id, kind: participant.kind, event: event.type }, 'foreign-event-ignored');
      return false;
    }
    // Before the build and the machine, which these events write (LOCK_ORDER).
    const namesCommit = event.type === 'build-progress' && event.commit !== undefined;
    if (namesCommit || LOCKS_JOB.has(event.type)) await this.#jobs.lock(tx, participant.job_id);
    switch (event.type) {
      case 'stage':
        await this.#participants.putStage(tx, participant.id, event, at);
        return false;
      case 'kernel':
        await this.#participants.putKernel(tx, participant.id, seq, event.sighting);
        return false;
      case 'plan':
        await this.#results.putPlan(tx, testContext(participant), event.suite, event.tests);
        return false;
      case 'result':
        if (revoked) await this.#results.putLateResult(tx, testContext(participant), event.result, participant.failure);
        else await this.#results.putResult(tx, testContext(participant), event.result);
        return true;
      case 'measurement':
        if (participant.files !== null && whyNotMeasured({ files: participant.files }) !== null) return false;
        await this.#results.putMeasurement(tx, testContext(participant), seq, event);
        return true;
      case 'call-places':
        await this.#crashes.putCallPlaces(tx, participant.id, event.places);
        return false;
      case 'file':
        await this.#results.putFile(tx, participant, event.file);
        return true;
      case 'build-progress':
        await this.#putProgress(tx, participant, event.percent, event.text, at);
        if (event.commit === undefined || revoked) return false;
        await this.#builds.setCommit(tx, participant.build_id, event.commit);
        return true;
      case 'built':
        if (revoked) return false;
        await this.#built(tx, participant, event, at);
        return true;
      case 'build-failed':
        if (revoked) return false;
        await this.#builds.setError(tx, participant.build_id, event.error);
        await this.#putProgress(tx, participant, 100, describeBuildError(event.error), at);
        return false;
      case 'finished':
        await this.#streams.expect(tx, participant.id, event.lineCounts);
        if (revoked) {
          await this.#attempts.noteRestored(tx, participant, await judgeRestored(tx, participant, event));
          return false;
        }
        await this.#attempts.end(tx, participant, {
          failure: event.failure,
          ...(await judgeRestored(tx, participant, event)),
          revoked: false,
        });
        return true;
    }
  }

  async #putProgress(
    tx: Queries,
    participant: LockedParticipant,
    percent: number,
    text: string,
    atMs: number,
    cached?: boolean,
  ): Promise<void> {
    const { progress, nowMs } = await this.#store.progress(tx, participant.attempt_id);
    const next = nextProgress(progress, { percent, text, atMs, storedAtMs: nowMs });
    await this.#store.setProgress(tx, participant.attempt_id, cached === undefined ? next : { ...next, cached });
  }

  async #built(
    tx: Queries,
    participant: LockedParticipant,
    event: Extract<AttemptEvent, { type: 'built' }>,
    at: number,
  ): Promise<void> {
    const text = event.cached ? FROM_CACHE : 'built';
    await this.#putProgress(tx, participant, 100, text, at, event.cached);
    await this.#jobs.lockBlockedBy(tx, participant.build_id);
    const problem = await this.#builds.markReady(tx, participant.build_id, event, participant.agent);
    if (problem !== null) {
      // The attempt's end says so again.
      await this.#builds.setError(tx, participant.build_id, { class: 'infrastructure', detail: problem });
      log.warn({ attempt: participant.attempt_id, key: event.manifest.key, problem }, 'bundle-refused');
      return;
    }
    await this.#jobs.unblock(tx, participant.build_id);
    await announce(tx, { type: 'changed', topics: ['builds'] });
  }
}
