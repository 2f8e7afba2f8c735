import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { Bus } from '../platform/database/bus.js';
import { RetentionService } from './retention.service.js';

/** Interval of passes, in milliseconds: short enough for a farm that stores a gigabyte a minute. */
const TICK_MS = 60_000;

/** Runs a retention pass periodically and at the start, one at a time in a process. */
@Injectable()
export class RetentionScheduler implements BeforeApplicationShutdown {
  readonly #retention: RetentionService;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(retention: RetentionService, bus: Bus) {
    this.#retention = retention;
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
    await this.#running;
  }

  async #pass(): Promise<void> {
    try {
      await this.#retention.run();
    } catch (err) {
      log.error({ err }, 'retention-failed');
    }
  }
}
