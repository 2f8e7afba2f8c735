import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { endsWithin } from '../platform/deadline.js';
import { Bus } from '../platform/database/bus.js';
import type { PeriodicJob } from '../platform/health/periodic-job.js';
import { Readiness } from '../platform/health/readiness.js';
import { RetentionService } from './retention.service.js';

/** Interval of passes, in milliseconds: short enough for a farm that stores a gigabyte a minute. */
const TICK_MS = 60_000;
/** A pass that removes much, such as the first one under a new policy. */
const PASS_MAX_MS = 6 * 3_600_000;
/** How long a pass may take to stop, in milliseconds; its last statement is cut off then. */
const STOP_MS = 3000;

/** Runs a retention pass periodically and at the start, one at a time in a process. */
@Injectable()
export class RetentionScheduler implements BeforeApplicationShutdown {
  readonly #retention: RetentionService;
  readonly #job: PeriodicJob;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(retention: RetentionService, bus: Bus, readiness: Readiness) {
    this.#retention = retention;
    this.#job = readiness.periodicJob('retention', { everyMs: TICK_MS, longestMs: PASS_MAX_MS });
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
    this.#retention.stop();
    await endsWithin(STOP_MS, this.#running ?? Promise.resolve());
  }

  async #pass(): Promise<void> {
    try {
      await this.#job.run(async () => void (await this.#retention.run()));
    } catch (err) {
      log.error({ err }, 'retention-failed');
    }
  }
}
