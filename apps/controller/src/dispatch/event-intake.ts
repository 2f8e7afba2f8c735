import { Injectable } from '@nestjs/common';
import { describeBuildError, type AttemptEvent, type FromAgent, type SequencedEvent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AttemptStore, type LockedAttempt } from '../attempts/attempt-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { BuildService } from '../builds/build.service.js';
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

type EventsFrame = Pick<Extract<FromAgent, { type: 'events' }>, 'attemptId' | 'fence' | 'events'>;

/** Events that count only from attempts of one kind; the others come from both. */
const KIND_OF_EVENT: Partial<Record<AttemptEvent['type'], LockedAttempt['kind']>> = {
  kernel: 'test',
  plan: 'test',
  result: 'test',
  measurement: 'test',
  'build-progress': 'build',
  built: 'build',
  'build-failed': 'build',
};

/** Events that may write the job, and before it its build or machine. */
const LOCKS_JOB: ReadonlySet<AttemptEvent['type']> = new Set(['built', 'build-failed', 'finished']);

/** Applies an attempt's events in order and exactly once: counter and effect share a transaction. */
@Injectable()
export class EventIntake {
  readonly #sql: Sql;
  readonly #store: AttemptStore;
  readonly #streams: StreamStore;
  readonly #attempts: AttemptService;
  readonly #results: ResultStore;
  readonly #builds: BuildService;
  readonly #jobs: JobService;
  readonly #verdicts: VerdictRows;

  constructor(
    sql: Sql,
    store: AttemptStore,
    streams: StreamStore,
    attempts: AttemptService,
    results: ResultStore,
    builds: BuildService,
    jobs: JobService,
    verdicts: VerdictRows,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#streams = streams;
    this.#attempts = attempts;
    this.#results = results;
    this.#builds = builds;
    this.#jobs = jobs;
    this.#verdicts = verdicts;
  }

  /**
   * Stores what extends the sequence and skips what is there already; after a gap nothing is taken. Of an
   * attempt that was revoked the evidence is kept, but nothing is decided by it any more.
   * Returns how many events are stored now. Throws StaleFence.
   */
  async take(agent: string, frame: EventsFrame): Promise<number> {
    const { next, ended } = await this.#storeEvents(agent, frame);
    if (ended) await this.#packVerdicts(frame.attemptId);
    return next;
  }

  /** `ended`: by one of these events. */
  async #storeEvents(
    agent: string,
    { attemptId, fence, events }: EventsFrame,
  ): Promise<{ next: number; ended: boolean }> {
    return this.#sql.transaction(async (tx) => {
      const revoked = (await this.#store.checkFence(tx, attemptId, fence, agent, 'update')) !== null;
      const attempt = await this.#store.lock(tx, attemptId);
      const before = attempt.state;
      const first = await this.#streams.lockNext(tx, attemptId, 'events');
      let next = first;
      let resultsChanged = false;
      for (const event of events) {
        if (event.seq > next) break;
        if (event.seq < next) continue;
        resultsChanged = (await this.#apply(tx, attempt, event, revoked)) || resultsChanged;
        next += 1;
      }
      if (next === first) return { next, ended: false };
      await this.#streams.advance(tx, attemptId, 'events', next);
      if (resultsChanged) await rollUpRun(tx, attempt.run_id);
      await announce(tx, { type: 'changed', topics: [`run:${attempt.run_id}`] });
      return { next, ended: before !== attempt.state && attempt.state === 'ended' };
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
   * Stores one event. Of a revoked attempt it is evidence alone, without a say in any verdict, job, build
   * or lease. True when the run has to be summed up again.
   */
  async #apply(
    tx: Queries,
    attempt: LockedAttempt,
    { seq, at, event }: SequencedEvent,
    revoked: boolean,
  ): Promise<boolean> {
    // An agent that reports of an attempt holds it, even if its "accepted" was lost.
    if (!revoked) await this.#store.accept(tx, attempt);
    const only = KIND_OF_EVENT[event.type];
    if (only !== undefined && only !== attempt.kind) {
      log.warn({ attempt: attempt.id, kind: attempt.kind, event: event.type }, 'foreign-event-ignored');
      return false;
    }
    // Before the build and the machine, which these events write (LOCK_ORDER).
    if (LOCKS_JOB.has(event.type)) await this.#jobs.lock(tx, attempt.job_id);
    switch (event.type) {
      case 'stage':
        await this.#store.putStage(tx, attempt.id, event, at);
        return false;
      case 'kernel':
        await this.#store.putKernel(tx, attempt.id, seq, event.sighting);
        return false;
      case 'plan':
        await this.#results.putPlan(tx, testContext(attempt), event.suite, event.tests);
        return false;
      case 'result':
        if (revoked) await this.#results.putLateResult(tx, testContext(attempt), event.result, attempt.failure);
        else await this.#results.putResult(tx, testContext(attempt), event.result);
        return true;
      case 'measurement':
        await this.#results.putMeasurement(tx, attempt.id, seq, event);
        return true;
      case 'file':
        await this.#results.putFile(tx, attempt.id, event.file);
        return true;
      case 'build-progress':
        await this.#putProgress(tx, attempt, event.percent, event.text, at);
        return false;
      case 'built':
        if (revoked) return false;
        await this.#built(tx, attempt, event, at);
        return true;
      case 'build-failed':
        if (revoked) return false;
        await this.#builds.setError(tx, attempt.build_id, event.error);
        await this.#putProgress(tx, attempt, 100, describeBuildError(event.error), at);
        return false;
      case 'finished':
        await this.#streams.expect(tx, attempt.id, event.lineCounts);
        if (revoked) {
          await this.#attempts.noteRestored(tx, attempt, await judgeRestored(tx, attempt, event));
          return false;
        }
        await this.#attempts.end(tx, attempt, {
          failure: event.failure,
          ...(await judgeRestored(tx, attempt, event)),
          revoked: false,
        });
        return true;
    }
  }

  async #putProgress(
    tx: Queries,
    attempt: LockedAttempt,
    percent: number,
    text: string,
    atMs: number,
    cached?: boolean,
  ): Promise<void> {
    const { progress, nowMs } = await this.#store.progress(tx, attempt.id);
    const next = nextProgress(progress, { percent, text, atMs, storedAtMs: nowMs });
    await this.#store.setProgress(tx, attempt.id, cached === undefined ? next : { ...next, cached });
  }

  async #built(
    tx: Queries,
    attempt: LockedAttempt,
    event: Extract<AttemptEvent, { type: 'built' }>,
    at: number,
  ): Promise<void> {
    const text = event.cached ? FROM_CACHE : 'built';
    await this.#putProgress(tx, attempt, 100, text, at, event.cached);
    const problem = await this.#builds.markReady(tx, attempt.build_id, event, attempt.agent);
    if (problem !== null) {
      // The attempt's end says so again.
      await this.#builds.setError(tx, attempt.build_id, { class: 'infrastructure', detail: problem });
      log.warn({ attempt: attempt.id, key: event.manifest.key, problem }, 'bundle-refused');
      return;
    }
    await this.#jobs.unblock(tx, attempt.build_id);
    await announce(tx, { type: 'changed', topics: ['builds'] });
  }
}
