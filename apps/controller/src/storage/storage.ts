import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import type { StorageLevel, StorageUse } from '@peerlab/contracts';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { announce } from '../platform/database/bus.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import { writeLog } from '../platform/logging.js';
import { levelOf } from './level.js';

export interface Measured {
  use: StorageUse;
  level: StorageLevel;
  measuredAt: Date;
}

/** How full database, artifact store and disk are. */
@Injectable()
export class StorageMeter {
  readonly #sql: Sql;
  readonly #settings: Settings;

  constructor(sql: Sql, @Inject(SETTINGS_TOKEN) settings: Settings) {
    this.#sql = sql;
    this.#settings = settings;
  }

  /** Measures, and tells every controller. */
  async measure(): Promise<Measured> {
    const use = await this.#use();
    const level = levelOf(use, this.#settings.retention);
    const before = await this.last();
    const row = await this.#sql.one<{ measured_at: Date }>(
      `insert into storage (id, level, use, measured_at) values (1, $1, $2, clock_timestamp())
       on conflict (id) do update set level = excluded.level, use = excluded.use, measured_at = excluded.measured_at
       returning measured_at`,
      [level, JSON.stringify(use)],
    );
    if (before?.level !== level && (before !== null || level !== 'ok')) {
      writeLog(level === 'full' ? 'error' : 'info', 'the storage is at another level', { storage: level, ...use });
      // What waited for room goes on; what waits now says why.
      await announce(this.#sql, { type: 'dispatch' }, { type: 'changed', topics: ['runs'] });
    }
    return { use, level, measuredAt: row?.measured_at ?? new Date() };
  }

  /** Whether there is room for something new. Every controller goes by the same measurement. */
  async hasRoom(): Promise<boolean> {
    return !(await this.#sql.exists(`select 1 from storage where level = 'full'`));
  }

  /** The newest measurement; null before the first one. */
  async last(): Promise<Measured | null> {
    const row = await this.#sql.one<{ use: StorageUse; level: StorageLevel; measured_at: Date }>(
      'select use, level, measured_at from storage where id = 1',
    );
    return row === null ? null : { use: row.use, level: row.level, measuredAt: row.measured_at };
  }

  async #use(): Promise<StorageUse> {
    const row = await this.#sql.one<{ logs: number; artifacts: number; database: number; log_files: number }>(
      `select (select coalesce(sum(bytes), 0)::bigint from stream) as logs,
         (select coalesce(sum(size_bytes), 0)::bigint from artifact where removed_at is null) as artifacts,
         pg_database_size(current_database()) as database, pg_total_relation_size('log_line') as log_files`,
    );
    if (row === null) throw new Error('the database did not say how large it is');
    const otherBytes = Math.max(0, row.database - row.log_files);
    const disk = await diskOf(this.#settings.stateDir);
    return {
      logBytes: row.logs,
      artifactBytes: row.artifacts,
      otherBytes,
      usedBytes: row.logs + row.artifacts + otherBytes,
      databaseBytes: row.database,
      freeBytes: disk.bavail * disk.bsize,
    };
  }
}

/** The disk of a folder, or of where it will be made. */
async function diskOf(folder: string): Promise<StatsFs> {
  try {
    return await statfs(folder);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT') || dirname(folder) === folder)
      throw error;
    return diskOf(dirname(folder));
  }
}

/** Refuses something new while the storage is full: 507 with what to do. */
export async function requireRoom(queries: Queries): Promise<void> {
  const full = await queries.one<{ use: StorageUse }>(`select use from storage where level = 'full'`);
  if (full === null) return;
  const { usedBytes, freeBytes } = full.use;
  throw new ProblemError(507, 'storage-full', 'the farm has no room for new runs', {
    detail: `${usedBytes} bytes are used and ${freeBytes} are free on the disk`,
    errors: [
      {
        path: '',
        message: 'running work goes on and keeps its evidence; nothing new is begun',
        remedy: 'see "peerlab retention --dry-run"; unpin runs, shorten the times, or raise hardBytes on a larger disk',
      },
    ],
  });
}
