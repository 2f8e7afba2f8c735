import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { log } from '@peerlab/runtime';
import { announce, Bus } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';
import { VerdictRows } from './verdict-rows.js';

/** Interval at which the queue is looked at, in milliseconds. */
const TICK_MS = 5000;

/** Sorts before every attempt. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * Packs the attempts of the queue (unpacked_attempt): those whose controller died at their end, those that got a late
 * result, and after an upgrade all that older versions left unpacked. Each transaction packs a bounded number of
 * attempts; several controllers may do so at once, as each passes over what another one holds.
 */
@Injectable()
export class PackingScheduler implements BeforeApplicationShutdown {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;
  #running: Promise<void> | null = null;
  #isStopped = false;

  constructor(sql: Sql, verdicts: VerdictRows, bus: Bus) {
    this.#sql = sql;
    this.#verdicts = verdicts;
    bus.onResync(() => void this.tick());
  }

  /** Goes through the queue once; never twice at a time in one process. */
  @Interval(TICK_MS)
  tick(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#running ??= this.#packQueue()
      .catch((err: unknown) => log.error({ err }, 'verdict-packing-failed'))
      .finally(() => (this.#running = null));
    return this.#running;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #packQueue(): Promise<void> {
    let packed = 0;
    let after = FIRST_ID;
    while (!this.#isStopped) {
      const ids = await this.#verdicts.queued(after);
      const last = ids.at(-1);
      if (last === undefined) break;
      packed += await this.#packBatch(ids);
      after = last;
    }
    if (packed === 0) return;
    log.debug({ attempts: packed }, 'verdicts-packed');
    // Pages that said that results are missing read again.
    await announce(this.#sql, { type: 'changed', topics: ['grid'] });
  }

  /** One attempt that cannot be packed must not keep the others from it. */
  async #packBatch(ids: readonly string[]): Promise<number> {
    try {
      return await this.#verdicts.pack(ids);
    } catch (err) {
      log.warn({ err, attempts: ids.length }, 'verdict-batch-failed');
    }
    let packed = 0;
    for (const attempt of ids) {
      try {
        packed += await this.#verdicts.pack([attempt]);
      } catch (err) {
        log.error({ err, attempt }, 'verdict-packing-failed');
      }
    }
    return packed;
  }
}
