import { Injectable } from '@nestjs/common';
import {
  describeBuildError,
  type AttemptEvent,
  type BuildError,
  type FromAgent,
  type SequencedEvent,
} from '@peerlab/contracts';
import { BuildService } from '../builds/build.service.js';
import { AttemptService, testContext, type LockedAttempt } from '../dispatch/attempt.service.js';
import { judgeRestored } from '../dispatch/restored.js';
import { announce } from '../platform/database/bus.js';
import { jsonb } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { nextProgress, type StoredProgress } from '../runs/build-forecast.js';
import { JobService } from '../runs/job.service.js';
import { rollUpRun } from '../runs/rollup.js';
import { ResultStore } from './result-store.js';
import { VerdictRows } from './verdict-rows.js';

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

/** Applies an attempt's events in order and exactly once: counter and effect share a transaction. */
@Injectable()
export class EventIntake {
  readonly #sql: Sql;
  readonly #attempts: AttemptService;
  readonly #results: ResultStore;
  readonly #builds: BuildService;
  readonly #jobs: JobService;
  readonly #verdicts: VerdictRows;

  constructor(
    sql: Sql,
    attempts: AttemptService,
    results: ResultStore,
    builds: BuildService,
    jobs: JobService,
    verdicts: VerdictRows,
  ) {
    this.#sql = sql;
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
    const { next, ended } = await this.#store(agent, frame);
    if (ended) await this.#packVerdicts(frame.attemptId);
    return next;
  }

  /** `ended`: by one of these events. */
  async #store(agent: string, { attemptId, fence, events }: EventsFrame): Promise<{ next: number; ended: boolean }> {
    return this.#sql.transaction(async (tx) => {
      const revoked = (await this.#attempts.checkFence(tx, attemptId, fence, agent, 'update')) !== null;
      const attempt = await this.#attempts.lock(tx, attemptId);
      const before = attempt.state;
      const counter = await tx.one<{ next: number }>(
        `select next from stream where attempt_id = $1 and stream = 'events' for update`,
        [attemptId],
      );
      const first = counter?.next ?? 0;
      let next = first;
      let resultsChanged = false;
      for (const event of events) {
        if (event.seq > next) break;
        if (event.seq < next) continue;
        resultsChanged = (await this.#apply(tx, attempt, event, revoked)) || resultsChanged;
        next += 1;
      }
      if (next === first) return { next, ended: false };
      await tx.run(`update stream set next = $2 where attempt_id = $1 and stream = 'events'`, [attemptId, next]);
      if (resultsChanged) await rollUpRun(tx, attempt.run_id);
      await announce(tx, { type: 'changed', topics: [`run:${attempt.run_id}`] });
      return { next, ended: before !== attempt.state && attempt.state === 'ended' };
    });
  }

  /** Or the first grid that shows hundreds of new attempts would do it. What fails is done by that grid. */
  async #packVerdicts(attemptId: string): Promise<void> {
    try {
      await this.#verdicts.pack([attemptId], 1);
    } catch (error) {
      writeLog('warn', 'the verdicts of an attempt were not summed up at its end', {
        attempt: attemptId,
        ...errorFields(error),
      });
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
    if (!revoked) await this.#attempts.accept(tx, attempt);
    const only = KIND_OF_EVENT[event.type];
    if (only !== undefined && only !== attempt.kind) {
      writeLog('warn', 'foreign-event-ignored', { attempt: attempt.id, kind: attempt.kind, event: event.type });
      return false;
    }
    switch (event.type) {
      case 'stage':
        await this.#results.putStage(tx, attempt.id, event, at);
        return false;
      case 'kernel':
        await this.#results.putKernel(tx, attempt.id, seq, event.sighting);
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
      case 'build-progress':
        await this.#putProgress(tx, attempt, event.percent, event.text, at);
        return false;
      case 'built':
        if (revoked) return false;
        await this.#built(tx, attempt, event, at);
        return true;
      case 'build-failed':
        if (revoked) return false;
        await tx.run('update build set error = $2 where id = $1', [attempt.build_id, jsonb(event.error)]);
        await this.#putProgress(tx, attempt, 100, describeBuildError(event.error), at);
        return false;
      case 'finished':
        await this.#expect(tx, attempt, event.lineCounts);
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

  async #putProgress(tx: Queries, attempt: LockedAttempt, percent: number, text: string, atMs: number): Promise<void> {
    const before = await tx.one<{ progress: StoredProgress | null; nowMs: number }>(
      `select progress, (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs" from attempt where id = $1`,
      [attempt.id],
    );
    if (before === null) throw new Error(`attempt ${attempt.id} is locked and not there`);
    const progress = nextProgress(before.progress, { percent, text, atMs, storedAtMs: before.nowMs });
    await tx.run('update attempt set progress = $2 where id = $1', [attempt.id, jsonb(progress)]);
  }

  async #built(
    tx: Queries,
    attempt: LockedAttempt,
    event: Extract<AttemptEvent, { type: 'built' }>,
    at: number,
  ): Promise<void> {
    const text = event.cached ? 'taken from the cache' : 'built';
    await this.#putProgress(tx, attempt, 100, text, at);
    const problem = await this.#builds.markReady(tx, attempt.build_id, event, attempt.agent);
    if (problem !== null) {
      // The attempt's end says so again.
      const error: BuildError = { class: 'infrastructure', detail: problem };
      await tx.run('update build set error = $2 where id = $1', [attempt.build_id, jsonb(error)]);
      writeLog('warn', 'bundle-refused', { attempt: attempt.id, key: event.manifest.key, problem });
      return;
    }
    await this.#jobs.unblock(tx, attempt.build_id);
    await announce(tx, { type: 'changed', topics: ['builds'] });
  }

  async #expect(
    tx: Queries,
    attempt: LockedAttempt,
    lineCounts: Extract<AttemptEvent, { type: 'finished' }>['lineCounts'],
  ): Promise<void> {
    for (const [stream, lines] of Object.entries(lineCounts)) {
      await tx.run('update stream set expected = $3 where attempt_id = $1 and stream = $2', [
        attempt.id,
        stream,
        lines,
      ]);
    }
  }
}
