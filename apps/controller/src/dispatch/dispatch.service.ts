import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { SOLE_ROLE } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AttemptStore, LeaseTaken } from '../attempts/attempt-store.js';
import { notePredictions } from '../attempts/path-predictions.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { BuildService } from '../builds/build.service.js';
import { Sql } from '../platform/database/sql.js';
import { BuildQueue } from '../runs/build-queue.js';
import { JobService } from '../runs/job.service.js';
import { TestQueue } from '../runs/test-queue.js';
import { StorageMeter } from '../storage/storage.js';
import { AttemptService } from './attempt.service.js';

/** Claims in a row that may fail because another controller was first; the next tick goes on. */
const COLLISIONS_MAX = 5;
/** Longest pause after the first such claim, in milliseconds; it grows with their number. */
const PAUSE_MS = 20;
/** What pages show that changes when a job starts. */
const CHANGED = { type: 'changed' as const, topics: ['machines', 'builds'] };

/** Jobs that were started; `isAll`: no other one of their kind can start now. */
interface Started {
  count: number;
  isAll: boolean;
}
const NONE: Started = { count: 0, isAll: true };

/** Matches queued jobs with free machines and build slots, and ends participants whose lease ran out. */
@Injectable()
export class DispatchService {
  readonly #sql: Sql;
  readonly #store: AttemptStore;
  readonly #leases: LeaseStore;
  readonly #tests: TestQueue;
  readonly #builds: BuildQueue;
  readonly #jobs: JobService;
  readonly #buildService: BuildService;
  readonly #attempts: AttemptService;
  readonly #storage: StorageMeter;

  constructor(
    sql: Sql,
    store: AttemptStore,
    leases: LeaseStore,
    tests: TestQueue,
    builds: BuildQueue,
    jobs: JobService,
    buildService: BuildService,
    attempts: AttemptService,
    storage: StorageMeter,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#leases = leases;
    this.#tests = tests;
    this.#builds = builds;
    this.#jobs = jobs;
    this.#buildService = buildService;
    this.#attempts = attempts;
    this.#storage = storage;
  }

  /**
   * Claims all that can start now, and nothing while the storage is full; returns how many. Any number of replicas
   * may do so at once. Throws what the database refuses, except that another controller was first.
   */
  async dispatch(): Promise<number> {
    if (!(await this.#storage.hasRoom())) return 0;
    return (await untilNone(() => this.#startTests())) + (await untilNone(() => this.#startBuild()));
  }

  /** Starts tests that can start now, many in one transaction. Throws LeaseTaken when none was to be had. */
  async #startTests(): Promise<Started> {
    const found = await this.#tests.nextTests(this.#sql);
    if (found.tests.length === 0) return NONE;
    return this.#sql.transaction(async (tx) => {
      const tests = await this.#tests.lockTests(tx, found.tests);
      if (tests.length === 0) throw new LeaseTaken('another controller has all jobs or machines locked');
      const numbers = await this.#store.open(
        tx,
        tests.map(({ jobId, places }) => ({ jobId, participants: places })),
      );
      const agents = new Set(tests.flatMap(({ places }) => places.map(({ agent }) => agent)));
      await this.#jobs.start(
        tx,
        tests.map(({ jobId: id, runId, places }) => ({ id, runId, places, number: numbers.get(id) ?? 1 })),
        [...[...agents].map((agent) => ({ type: 'agent-work', agent }) as const), CHANGED],
      );
      await notePredictions(
        tx,
        tests.map(({ jobId }) => jobId),
      );
      return { count: tests.length, isAll: found.isAll && tests.length === found.tests.length };
    });
  }

  /** As #startTests, for one build. */
  async #startBuild(): Promise<Started> {
    if (!(await this.#builds.hasBuilds(this.#sql))) return NONE;
    return this.#sql.transaction(async (tx) => {
      const build = await this.#builds.lockNextBuild(tx);
      if (build === null) return NONE;
      const { job_id: id, run_id: runId, build_id: buildId, agent, slot } = build;
      const participants = [{ role: SOLE_ROLE, agent, machine: null, slot }];
      const numbers = await this.#store.open(tx, [{ jobId: id, participants }]);
      await this.#buildService.begin(tx, buildId);
      await this.#jobs.start(
        tx,
        [{ id, runId, places: [], number: numbers.get(id) ?? 1 }],
        [{ type: 'agent-work', agent }, CHANGED],
      );
      return { count: 1, isAll: false };
    });
  }

  /** Ends participants whose lease ran out; returns how many. One that cannot be ended is logged and holds up no other. */
  async reap(): Promise<number> {
    let reaped = 0;
    for (const id of await this.#leases.expired(this.#sql)) {
      try {
        if (await this.#sql.transaction((tx) => this.#attempts.reap(tx, id))) reaped += 1;
      } catch (err) {
        log.error({ err, participant: id }, 'participant-not-reaped');
      }
    }
    return reaped;
  }
}

/** Repeats a step until it has started all; returns how many. A step that another controller was quicker with is tried a few times. */
async function untilNone(step: () => Promise<Started>): Promise<number> {
  let claimed = 0;
  for (let collisions = 0; collisions < COLLISIONS_MAX; ) {
    try {
      const { count, isAll } = await step();
      claimed += count;
      if (isAll) return claimed;
      collisions = 0;
    } catch (error) {
      if (!(error instanceof LeaseTaken)) throw error;
      collisions += 1;
      await pause(randomInt(PAUSE_MS * collisions));
    }
  }
  log.warn({ collisions: COLLISIONS_MAX, claimed }, 'dispatch-outrun');
  return claimed;
}
