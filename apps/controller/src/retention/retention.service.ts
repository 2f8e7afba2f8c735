import { Inject, Injectable } from '@nestjs/common';
import { log } from '@peerlab/runtime';
import {
  RETENTION_DELETIONS_MAX,
  type Removal,
  type RetentionPlan,
  type RetentionPolicy,
  type RetentionView,
} from '@peerlab/contracts';
import { LogService } from '../logs/log.service.js';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { announce } from '../platform/database/bus.js';
import { tryLockSession, unlockSession } from '../platform/database/locks.js';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { RetentionDeletion, RunPin } from '../schema/retention.js';
import { Run } from '../schema/runs.js';
import { readCandidates } from './candidates.js';
import { planRemovals } from './plan.js';
import { RetentionExecutor } from './retention-executor.js';
import { StorageMeter, type Measured } from '../storage/storage.js';

const SWEEP_EVERY_MS = 3600 * 1000;

const RUN_PIN = columnsOf(RunPin);
const PIN = {
  run: RUN_PIN.run_id,
  name: columnsOf(Run).name,
  by: RUN_PIN.pinned_by,
  reason: RUN_PIN.reason,
  at: RUN_PIN.pinned_at,
};
const DELETION = pick(columnsOf(RetentionDeletion), 'removed_at', 'kind', 'subject', 'name', 'why', 'lines', 'bytes');

/** Plans and runs retention passes by the policy of the settings, and pins runs. */
@Injectable()
export class RetentionService {
  readonly #sql: Sql;
  readonly #meter: StorageMeter;
  readonly #executor: RetentionExecutor;
  readonly #logs: LogService;
  readonly #policy: RetentionPolicy;
  #sweptAt: Date | null = null;
  #stopped = false;

  constructor(
    sql: Sql,
    meter: StorageMeter,
    executor: RetentionExecutor,
    logs: LogService,
    @Inject(SETTINGS_TOKEN) settings: Settings,
  ) {
    this.#logs = logs;
    this.#sql = sql;
    this.#meter = meter;
    this.#executor = executor;
    this.#policy = settings.retention;
  }

  /** What a pass would remove now. Changes nothing but the measurement. */
  async plan(): Promise<RetentionPlan> {
    const measured = await this.#meter.measure();
    return planOf(measured, await this.#removals(measured));
  }

  /**
   * Runs one pass; null when another controller is running one. A removal that fails is logged and left to the next
   * pass, and the other removals continue.
   */
  async run(): Promise<RetentionPlan | null> {
    const client = await this.#sql.pool.connect();
    let broken: Error | undefined;
    try {
      if (!(await tryLockSession(client, 'retention'))) return null;
      try {
        return await this.#pass();
      } finally {
        await unlockSession(client, 'retention');
      }
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      // A connection that may still hold the lock is not used again.
      client.release(broken);
    }
  }

  /** Lets the pass that runs end after the removal that it is at; for the end of the controller. */
  stop(): void {
    this.#stopped = true;
  }

  async view(): Promise<RetentionView> {
    const { use, level, measuredAt } = (await this.#meter.last()) ?? (await this.#meter.measure());
    const pins = await this.#sql.rows(
      PIN,
      `select p.run_id as run, r.name, p.pinned_by as by, p.reason, p.pinned_at as at
       from run_pin p join run r on r.id = p.run_id order by p.pinned_at desc`,
    );
    const deletions = await this.#sql.rows(
      DELETION,
      `select removed_at, kind, subject, name, why, lines, bytes from retention_deletion
       order by removed_at desc limit $1`,
      [RETENTION_DELETIONS_MAX],
    );
    return {
      policy: this.#policy,
      level,
      use,
      measuredAt: measuredAt.toISOString(),
      pins: pins.map(({ at, ...pin }) => ({ ...pin, pinnedAt: at.toISOString() })),
      deletions: deletions.map(({ removed_at, ...row }) => ({ ...row, removedAt: removed_at.toISOString() })),
    };
  }

  /** Pins or unpins a run: nothing of a pinned run is removed. Idempotent. */
  async setPin(run: string, pinned: boolean, by: string, reason: string | null): Promise<{ pinned: boolean }> {
    await this.#sql.transaction(async (tx) => {
      if (!(await tx.exists('select 1 from run where id = $1 for update', [run]))) throw notFound('run', run);
      if (pinned) {
        await tx.run(
          `insert into run_pin (run_id, pinned_by, reason) values ($1, $2, $3)
           on conflict (run_id) do update set pinned_by = excluded.pinned_by, reason = excluded.reason`,
          [run, by, reason],
        );
      } else {
        await tx.run('delete from run_pin where run_id = $1', [run]);
      }
      await announce(tx, { type: 'changed', topics: [`run:${run}`] });
    });
    return { pinned };
  }

  async #pass(): Promise<RetentionPlan> {
    await this.#executor.finish();
    const before = await this.#meter.measure();
    const removed = await this.#sweep(before.measuredAt);
    for (const removal of await this.#removals(before)) {
      if (this.#stopped) break;
      try {
        if (await this.#executor.remove(removal)) removed.push(removal);
      } catch (err) {
        log.error({ err, removal }, 'removal-failed');
      }
    }
    if (removed.length === 0) return planOf(before, []);
    log.info({ count: removed.length, bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0) }, 'evidence-removed');
    // VACUUM makes the space of removed lines reusable; it cannot run in a transaction.
    if (!this.#stopped && removed.some(({ lines }) => lines > 0)) await this.#logs.vacuum();
    const after = await this.#meter.measure();
    return { ...planOf(after, removed), usedBytesAfter: after.use.usedBytes };
  }

  /** Once an hour, because it reads the whole artifact folder. A folder that cannot be read is logged: rows can be removed all the same. */
  async #sweep(now: Date): Promise<Removal[]> {
    if (this.#sweptAt !== null && now.getTime() - this.#sweptAt.getTime() < SWEEP_EVERY_MS) return [];
    this.#sweptAt = now;
    try {
      return await this.#executor.sweep(now);
    } catch (err) {
      log.error({ err }, 'artifact-sweep-failed');
      return [];
    }
  }

  async #removals({ use, measuredAt }: Measured): Promise<Removal[]> {
    return planRemovals(await readCandidates(this.#sql), use, this.#policy, measuredAt);
  }
}

function planOf({ level, use }: Measured, removals: Removal[]): RetentionPlan {
  const freed = removals.reduce((sum, { bytes }) => sum + bytes, 0);
  return { level, use, removals, usedBytesAfter: use.usedBytes - freed };
}
