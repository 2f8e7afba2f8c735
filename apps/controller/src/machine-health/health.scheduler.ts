import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { endsWithin } from '../platform/deadline.js';
import { Bus } from '../platform/database/bus.js';
import type { PeriodicJob } from '../platform/health/periodic-job.js';
import { Readiness } from '../platform/health/readiness.js';
import { HealthService } from './health.service.js';

/** Interval of passes, in milliseconds. */
const TICK_MS = 5000;
const PASS_MAX_MS = 60_000;
/** How long a pass may take to stop, in milliseconds. */
const STOP_MS = 3000;

/** Looks after the health of machines periodically, one pass at a time in a process. */
@Injectable()
export class HealthScheduler implements BeforeApplicationShutdown {
  readonly #health: HealthService;
  readonly #job: PeriodicJob;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(health: HealthService, bus: Bus, readiness: Readiness) {
    this.#health = health;
    this.#job = readiness.periodicJob('machine-health', { everyMs: TICK_MS, longestMs: PASS_MAX_MS });
    bus.onResync(() => void this.tick());
  }

  @Interval(TICK_MS)
  tick(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#running ??= this.#pass().finally(() => (this.#running = null));
    return this.#running;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    await endsWithin(STOP_MS, this.#running ?? Promise.resolve());
  }

  async #pass(): Promise<void> {
    try {
      await this.#job.run(() => this.#health.pass());
    } catch (err) {
      log.error({ err }, 'health-pass-failed');
    }
  }
}
