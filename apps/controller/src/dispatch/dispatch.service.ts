import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { SOLE_ROLE } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AttemptStore, LeaseTaken } from '../attempts/attempt-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { BuildService } from '../builds/build.service.js';
import { announce } from '../platform/database/bus.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { JobQueue } from '../runs/job-queue.js';
import { JobService } from '../runs/job.service.js';
import { StorageMeter } from '../storage/storage.js';
import { AttemptService } from './attempt.service.js';

/** Claims in a row that may fail because another controller was first; the next tick goes on. */
const COLLISIONS_MAX = 5;
/** Longest pause after the first such claim, in milliseconds; it grows with their number. */
const PAUSE_MS = 20;

/** Matches queued jobs with free machines and build slots, and ends participants whose lease ran out. */
@Injectable()
export class DispatchService {
  readonly #sql: Sql;
  readonly #store: AttemptStore;
  readonly #leases: LeaseStore;
  readonly #queue: JobQueue;
  readonly #jobs: JobService;
  readonly #builds: BuildService;
  readonly #attempts: AttemptService;
  readonly #storage: StorageMeter;

  constructor(
    sql: Sql,
    store: AttemptStore,
    leases: LeaseStore,
    queue: JobQueue,
    jobs: JobService,
    builds: BuildService,
    attempts: AttemptService,
    storage: StorageMeter,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#leases = leases;
    this.#queue = queue;
    this.#jobs = jobs;
    this.#builds = builds;
    this.#attempts = attempts;
    this.#storage = storage;
  }

  /**
   * Claims all that can start now, and nothing while the storage is full; returns how many. Any number of replicas
   * may do so at once. Throws what the database refuses, except that another controller was first.
   */
  async dispatch(): Promise<number> {
    if (!(await this.#storage.hasRoom())) return 0;
    let claimed = 0;
    for (let collisions = 0; collisions < COLLISIONS_MAX; ) {
      try {
        if (!(await this.#sql.transaction((tx) => this.#claim(tx)))) return claimed;
        claimed += 1;
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

  async #claim(tx: Queries): Promise<boolean> {
    const job = (await this.#queue.lockNextTest(tx)) ?? (await this.#queue.lockNextBuild(tx));
    if (job === null) return false;
    const number = await this.#store.open(tx, job.job_id, [
      { role: SOLE_ROLE, agent: job.agent, machine: job.machine, slot: job.slot },
    ]);
    if (job.machine === null) await this.#builds.begin(tx, job.build_id);
    const place = job.machine === null || job.path === null ? null : { machine: job.machine, path: job.path };
    await this.#jobs.start(tx, { id: job.job_id, runId: job.run_id, place }, number);
    await announce(tx, { type: 'agent-work', agent: job.agent }, { type: 'changed', topics: ['machines', 'builds'] });
    return true;
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
