import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { FleetService } from '../fleet/fleet.service.js';
import { Bus } from '../platform/database/bus.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { DispatchService } from './dispatch.service.js';

/** NOTIFY wakes the dispatcher; this covers lost notifications, pauses that ended and leases that ran out. */
const TICK_MS = 2000;

/** Runs the dispatcher when woken and now and then, never twice at a time in one process. */
@Injectable()
export class DispatchTicker {
  readonly #dispatch: DispatchService;
  readonly #fleet: FleetService;
  #running: Promise<void> | null = null;
  #again = false;
  #stopped = false;
  #ready = false;

  constructor(dispatch: DispatchService, fleet: FleetService, bus: Bus) {
    this.#dispatch = dispatch;
    this.#fleet = fleet;
    bus.onMessage((message) => {
      if (message.type === 'dispatch') this.#wake();
    });
    // While this controller was away nobody could renew a lease here.
    bus.onResync(() => {
      dispatch
        .grantGrace()
        .then(() => {
          this.#ready = true;
          this.#wake();
        })
        .catch((error: unknown) => writeLog('error', 'leases could not be given their grace', errorFields(error)));
    });
  }

  @Interval(TICK_MS)
  async tick(): Promise<void> {
    if (this.#stopped || !this.#ready) return;
    try {
      await this.#fleet.noticeLost();
      await this.#dispatch.reap();
    } catch (error) {
      writeLog('error', 'the reaper failed', errorFields(error));
    }
    this.#wake();
  }

  /** Resolves when the current pass has ended; no further one starts. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  #wake(): void {
    if (this.#stopped || !this.#ready) return;
    this.#again = true;
    this.#running ??= this.#pass().finally(() => (this.#running = null));
  }

  async #pass(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#dispatch.dispatch();
      } catch (error) {
        writeLog('error', 'dispatch failed', errorFields(error));
      }
    }
  }
}
