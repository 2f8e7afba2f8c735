import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Bus } from '../platform/database/bus.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { RetentionService } from './retention.service.js';

/** A farm that fills a gigabyte a minute is noticed well before a disk is full. */
const TICK_MS = 60_000;

/** Looks after the space now and then, and once at the start: never twice at a time in one process. */
@Injectable()
export class RetentionTicker implements BeforeApplicationShutdown {
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
    this.#running ??= this.#look().finally(() => (this.#running = null));
    return this.#running;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #look(): Promise<void> {
    try {
      await this.#retention.run();
    } catch (error) {
      writeLog('error', 'retention failed', errorFields(error));
    }
  }
}
