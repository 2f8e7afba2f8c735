import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { endsWithin } from '../platform/deadline.js';
import { Bus } from '../platform/database/bus.js';
import type { PeriodicJob } from '../platform/health/periodic-job.js';
import { Readiness } from '../platform/health/readiness.js';
import { ReservationService } from './reservation.service.js';
import { TerminalStore } from './terminal-store.js';

/** Interval of passes, in milliseconds. */
const TICK_MS = 2000;
const PASS_MAX_MS = 60_000;
/** How long a pass may take to stop, in milliseconds. */
const STOP_MS = 3000;

/** Moves reservations on and closes terminals that are over periodically, one pass at a time in a process. */
@Injectable()
export class ReservationScheduler implements BeforeApplicationShutdown {
  readonly #reservations: ReservationService;
  readonly #terminals: TerminalStore;
  readonly #job: PeriodicJob;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(reservations: ReservationService, terminals: TerminalStore, bus: Bus, readiness: Readiness) {
    this.#reservations = reservations;
    this.#terminals = terminals;
    this.#job = readiness.periodicJob('reservations', { everyMs: TICK_MS, longestMs: PASS_MAX_MS });
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
      await this.#job.run(async () => {
        await this.#reservations.pass();
        await this.#terminals.pass();
      });
    } catch (err) {
      log.error({ err }, 'reservation-pass-failed');
    }
  }
}
