import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import type { StorageLevel, StorageUse } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { announce } from '../platform/database/bus.js';
import { columnsOf, integer, pick } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import { Storage } from '../schema/retention.js';
import { levelOf } from './level.js';

const MEASURED = pick(columnsOf(Storage), 'use', 'level', 'measured_at');

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

  /** Measures, stores the measurement and, when the level changed, tells every controller. */
  async measure(): Promise<Measured> {
    const use = await this.#use();
    const level = levelOf(use, this.#settings.retention);
    const before = await this.last();
    const row = await this.#sql.one(
      pick(MEASURED, 'measured_at'),
      `insert into storage (id, level, use, measured_at) values (1, $1, $2, clock_timestamp())
       on conflict (id) do update set level = excluded.level, use = excluded.use, measured_at = excluded.measured_at
       returning measured_at`,
      [level, JSON.stringify(use)],
    );
    if (before?.level !== level && (before !== null || level !== 'ok')) {
      log[level === 'full' ? 'error' : 'info']({ storage: level, ...use }, 'storage-level-changed');
      // Jobs that waited for room can start; jobs that wait now have another reason to show.
      await announce(this.#sql, { type: 'dispatch' }, { type: 'changed', topics: ['runs'] });
    }
    return { use, level, measuredAt: row?.measured_at ?? new Date() };
  }

  /** Whether there is room for new work. All controllers use the one stored measurement. */
  async hasRoom(): Promise<boolean> {
    return !(await this.#sql.exists(`select 1 from storage where level = 'full'`));
  }

  /** The newest measurement; null before the first one. */
  async last(): Promise<Measured | null> {
    const row = await this.#sql.one(MEASURED, 'select use, level, measured_at from storage where id = 1');
    return row === null ? null : { use: row.use, level: row.level, measuredAt: row.measured_at };
  }

  async #use(): Promise<StorageUse> {
    const row = await this.#sql.one(
      { logs: integer, artifacts: integer, database: integer, log_files: integer },
      `select (select coalesce(sum(bytes), 0)::bigint from stream) as logs,
         (select coalesce(sum(size_bytes), 0)::bigint from artifact where removed_at is null) as artifacts,
         pg_database_size(current_database()) as database, pg_total_relation_size('log_line') as log_files`,
    );
    if (row === null) throw new Error('the query for the size of the database returned no row');
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

/** The file system of a folder or, before the folder exists, of its nearest parent that does. */
async function diskOf(folder: string): Promise<StatsFs> {
  try {
    return await statfs(folder);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT') || dirname(folder) === folder)
      throw error;
    return diskOf(dirname(folder));
  }
}

/** Refuses new work while the storage is full. Throws ProblemError 507. */
export async function requireRoom(queries: Queries): Promise<void> {
  const full = await queries.one(pick(MEASURED, 'use'), `select use from storage where level = 'full'`);
  if (full === null) return;
  const { usedBytes, freeBytes } = full.use;
  throw new ProblemError(507, 'storage-full', 'the farm has no room for new runs', {
    detail: `${usedBytes} bytes are used and ${freeBytes} are free on the disk`,
    errors: [
      {
        path: '',
        message: 'running work continues and keeps its evidence; no new work is started',
        remedy: 'see "peerlab retention plan"; unpin runs, shorten the times, or raise hardBytes on a larger disk',
      },
    ],
  });
}
