import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { announce, Bus } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';
import { CrashSearch } from './crash-search.js';
import { CrashStore } from './crash-store.js';

/** Interval at which requests are looked for, in milliseconds. */
const TICK_MS = 2000;
/** Requests that are taken at once. */
const BATCH = 50;

/**
 * Searches the logs of participants that ended, one after the other. Several controllers may search the same one: both
 * find the same, and one of them stores it.
 */
@Injectable()
export class CrashSearchScheduler implements BeforeApplicationShutdown {
  readonly #sql: Sql;
  readonly #store: CrashStore;
  readonly #search: CrashSearch;
  #running: Promise<void> | null = null;
  readonly #stop = new AbortController();

  constructor(sql: Sql, store: CrashStore, search: CrashSearch, bus: Bus) {
    this.#sql = sql;
    this.#store = store;
    this.#search = search;
    bus.onResync(() => void this.tick());
  }

  /** Searches what is requested; never twice at a time in one process. */
  @Interval(TICK_MS)
  tick(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    this.#running ??= this.#searchRequested()
      .catch((err: unknown) => log.error({ err }, 'crash-search-failed'))
      .finally(() => (this.#running = null));
    return this.#running;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #searchRequested(): Promise<void> {
    let searched = 0;
    for (const request of await this.#store.requested(BATCH)) {
      if (this.#stop.signal.aborted) break;
      try {
        if (await this.#search.search(request, this.#stop.signal)) searched += 1;
      } catch (err) {
        if (this.#stop.signal.aborted) break;
        log.error({ err, participant: request.participant }, 'crash-search-failed');
        await this.#store.postpone(request);
      }
    }
    if (searched > 0) await announce(this.#sql, { type: 'changed', topics: ['grid'] });
  }
}
