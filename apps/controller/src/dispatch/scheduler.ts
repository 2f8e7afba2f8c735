import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { LeaseStore } from '../attempts/lease-store.js';
import { FleetService } from '../fleet/fleet.service.js';
import { Bus } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';
import { endsWithin } from '../platform/deadline.js';
import type { PeriodicJob } from '../platform/health/periodic-job.js';
import { Readiness } from '../platform/health/readiness.js';
import { Metrics } from '../platform/metrics/metrics.js';
import { DispatchService } from './dispatch.service.js';
import { ControllerPresence } from './presence.js';

/** NOTIFY wakes the dispatcher; this covers lost notifications, pauses that ended and leases that ran out. */
const TICK_MS = 2000;
/** A pass over a full farm takes some seconds. */
const PASS_MAX_MS = 60_000;
/** How long the pass that runs may take to end at the shutdown, in milliseconds; its statement is cut off later. */
const STOP_MS = 3000;

/** Runs the dispatcher when it is woken and every two seconds, never twice at a time in one process. */
@Injectable()
export class DispatchScheduler implements OnModuleDestroy {
  readonly #sql: Sql;
  readonly #leases: LeaseStore;
  readonly #dispatch: DispatchService;
  readonly #fleet: FleetService;
  readonly #presence: ControllerPresence;
  readonly #dispatchJob: PeriodicJob;
  readonly #reaperJob: PeriodicJob;
  readonly #passSeconds;
  #running: Promise<void> | null = null;
  #ticking: Promise<void> | null = null;
  #resyncing: Promise<void> | null = null;
  #again = false;
  #stopped = false;
  /** No controller was alive until this one showed itself, and the leases were not extended yet. */
  #mustExtendLeases = false;
  /** Work may be dispatched: this controller showed itself, and leases were extended where they had to be. */
  #ready = false;

  constructor(
    sql: Sql,
    leases: LeaseStore,
    dispatch: DispatchService,
    fleet: FleetService,
    presence: ControllerPresence,
    bus: Bus,
    readiness: Readiness,
    metrics: Metrics,
  ) {
    this.#sql = sql;
    this.#leases = leases;
    this.#dispatch = dispatch;
    this.#fleet = fleet;
    this.#presence = presence;
    this.#dispatchJob = readiness.periodicJob('dispatch', { everyMs: TICK_MS, longestMs: PASS_MAX_MS });
    this.#reaperJob = readiness.periodicJob('reaper', { everyMs: TICK_MS, longestMs: PASS_MAX_MS });
    this.#passSeconds = metrics.duration('dispatch_pass_seconds', 'Time of a pass of the dispatcher or the reaper.', [
      'pass',
    ]);
    bus.onMessage((message) => {
      if (message.type === 'dispatch') this.#wake();
    });
    // The first connection, or the database was out of reach for a while.
    bus.onResync(() => {
      this.#resyncing = this.#showPresence()
        .then(() => this.#wake())
        // The next tick tries again.
        .catch((err: unknown) => log.error({ err }, 'presence-not-shown'));
    });
  }

  @Interval(TICK_MS)
  tick(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#ticking ??= this.#runReaper().finally(() => (this.#ticking = null));
    return this.#ticking;
  }

  async #runReaper(): Promise<void> {
    const end = this.#passSeconds.startTimer({ pass: 'reaper' });
    try {
      await this.#reaperJob.run(async () => {
        await this.#showPresence();
        await this.#fleet.noticeLost();
        await this.#dispatch.reap();
      });
    } catch (err) {
      log.error({ err }, 'reaper-failed');
    }
    end();
    this.#wake();
  }

  /**
   * Shows that this controller is alive. While no controller was, or all of them were held up, agents could not renew
   * a lease: all get a full one before anything is reaped or dispatched.
   */
  async #showPresence(): Promise<void> {
    if (this.#stopped) return;
    if (await this.#presence.show()) this.#mustExtendLeases = true;
    if (this.#mustExtendLeases) {
      await this.#leases.raiseFences(this.#sql);
      const leases = await this.#leases.extendAll(this.#sql);
      this.#mustExtendLeases = false;
      if (leases > 0) log.info({ leases }, 'leases-extended-after-outage');
    }
    this.#ready = true;
  }

  /** Waits for the pass that runs; no further one starts. The first step of the shutdown: no new work. */
  async onModuleDestroy(): Promise<void> {
    this.#stopped = true;
    // The presence last: a controller that shows itself after it left would seem to be alive.
    const stopping = Promise.all([this.#running, this.#resyncing, this.#ticking]).then(() => this.#presence.leave());
    stopping.catch((err: unknown) => log.warn({ err }, 'presence-not-removed'));
    if (
      !(await endsWithin(
        STOP_MS,
        stopping.catch(() => undefined),
      ))
    ) {
      log.warn({ afterMs: STOP_MS }, 'dispatch-not-stopped');
    }
  }

  #wake(): void {
    if (this.#stopped || !this.#ready) return;
    this.#again = true;
    this.#running ??= this.#pass().finally(() => (this.#running = null));
  }

  async #pass(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const end = this.#passSeconds.startTimer({ pass: 'dispatch' });
      try {
        await this.#dispatchJob.run(async () => void (await this.#dispatch.dispatch()));
      } catch (err) {
        log.error({ err }, 'dispatch-failed');
      }
      end();
    }
  }
}
