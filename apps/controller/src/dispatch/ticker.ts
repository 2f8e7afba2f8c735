import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { LeaseStore } from '../attempts/lease-store.js';
import { FleetService } from '../fleet/fleet.service.js';
import { Bus } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { DispatchService } from './dispatch.service.js';
import { ControllerPresence } from './presence.js';

/** NOTIFY wakes the dispatcher; this covers lost notifications, pauses that ended and leases that ran out. */
const TICK_MS = 2000;

/** Runs the dispatcher when woken and now and then, never twice at a time in one process. */
@Injectable()
export class DispatchTicker {
  readonly #sql: Sql;
  readonly #leases: LeaseStore;
  readonly #dispatch: DispatchService;
  readonly #fleet: FleetService;
  readonly #presence: ControllerPresence;
  #running: Promise<void> | null = null;
  #ticking: Promise<void> | null = null;
  #resyncing: Promise<void> | null = null;
  #again = false;
  #stopped = false;
  #ready = false;

  constructor(
    sql: Sql,
    leases: LeaseStore,
    dispatch: DispatchService,
    fleet: FleetService,
    presence: ControllerPresence,
    bus: Bus,
  ) {
    this.#sql = sql;
    this.#leases = leases;
    this.#dispatch = dispatch;
    this.#fleet = fleet;
    this.#presence = presence;
    bus.onMessage((message) => {
      if (message.type === 'dispatch') this.#wake();
    });
    // The first connection, or the database was out of reach for a while.
    bus.onResync(() => {
      this.#resyncing = this.#showPresence()
        .then(() => {
          this.#ready = true;
          this.#wake();
        })
        .catch((error: unknown) => writeLog('error', 'leases could not be given their grace', errorFields(error)));
    });
  }

  @Interval(TICK_MS)
  tick(): Promise<void> {
    if (this.#stopped || !this.#ready) return Promise.resolve();
    this.#ticking ??= this.#lookAround().finally(() => (this.#ticking = null));
    return this.#ticking;
  }

  async #lookAround(): Promise<void> {
    try {
      await this.#showPresence();
      await this.#fleet.noticeLost();
      await this.#dispatch.reap();
    } catch (error) {
      writeLog('error', 'the reaper failed', errorFields(error));
    }
    this.#wake();
  }

  /** While no controller was there, or all of them were held up, nobody could renew a lease. */
  async #showPresence(): Promise<void> {
    if (this.#stopped || !(await this.#presence.show())) return;
    await this.#leases.raiseFences(this.#sql);
    const leases = await this.#leases.extendAll(this.#sql);
    if (leases > 0) writeLog('info', 'no controller was there until now; all leases begin anew', { leases });
  }

  /** Resolves when the current pass has ended; no further one starts. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    // Whoever shows itself after it left would seem to be alive.
    await this.#resyncing;
    await this.#ticking;
    await this.#presence
      .leave()
      .catch((error: unknown) => writeLog('warn', 'the leaving was not recorded', errorFields(error)));
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
