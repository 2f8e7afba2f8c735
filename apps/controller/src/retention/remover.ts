import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Removal } from '@peerlab/contracts';
import { ArtifactStore } from '../builds/artifact-store.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { writeLog } from '../platform/logging.js';
import { forgetPlans } from '../verdicts/verdict-rows.js';
import { ARTIFACT_USES } from './candidates.js';

/** Tables with rows of an attempt, in an order in which they can be emptied. */
const OF_ATTEMPT = [
  'log_line',
  'stream',
  'attempt_stage',
  'attempt_kernel',
  'planned_test',
  'attempt_verdicts',
  'result',
  'measurement',
  'lease',
];

const ORPHAN = { kind: 'artifact', name: 'file without a record', why: 'age', lines: 0 } as const;
/** An artifact's file is there a moment before its row. */
const ORPHAN_MS = 3600 * 1000;
/** Longest upload. */
const INCOMING_MS = 24 * 3600 * 1000;

/** Removes evidence and records that it did, in one transaction each. */
@Injectable()
export class Remover {
  readonly #sql: Sql;
  readonly #store: ArtifactStore;

  constructor(sql: Sql, store: ArtifactStore) {
    this.#sql = sql;
    this.#store = store;
  }

  /** False when it is no longer to be removed: pinned, used again, or gone already. */
  async remove(removal: Removal): Promise<boolean> {
    switch (removal.kind) {
      case 'logs':
        return this.#ofRun(removal, removeLogs);
      case 'run':
        return this.#ofRun(removal, removeRun);
      case 'artifact':
        return this.#artifact(removal);
    }
  }

  /** Locks as everything else does: attempts, then streams, then jobs, then the run. */
  async #ofRun(
    removal: Removal,
    work: (tx: Queries, run: string, attempts: string[]) => Promise<Weight>,
  ): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      const attempts = await tx.rows<{ id: string }>(
        `select t.id from attempt t join job j on j.id = t.job_id where j.run_id = $1 order by t.id for update of t`,
        [removal.subject],
      );
      const ids = attempts.map(({ id }) => id);
      await tx.rows('select 1 from stream where attempt_id = any($1) order by attempt_id, stream for update', [ids]);
      const run = await tx.one<{ free: boolean }>(
        `select state = 'ended' and not exists (select 1 from run_pin p where p.run_id = run.id) as free
         from run where id = $1 for update`,
        [removal.subject],
      );
      if (run?.free !== true) return false;
      await record(tx, removal, await work(tx, removal.subject, ids));
      return true;
    });
  }

  /** The row stays for the runs that name it; the file goes after the commit, so a row without the mark has its file. */
  async #artifact(removal: Removal): Promise<boolean> {
    const sha256 = removal.subject;
    const isMarked = await this.#sql.transaction(async (tx) => {
      // A run that takes the bundle at this moment locks its row, and finds the mark afterwards.
      await tx.rows('select 1 from bundle where sha256 = $1 for update', [sha256]);
      const artifact = await tx.one<{ size_bytes: number }>(
        'select size_bytes from artifact where sha256 = $1 and removed_at is null for update',
        [sha256],
      );
      const used = await tx.one(
        `select 1 where exists (select 1 from (${ARTIFACT_USES}) used join run r on r.id = used.run_id
           where used.sha256 = $1 and (r.state <> 'ended' or exists (select 1 from run_pin p where p.run_id = r.id)))`,
        [sha256],
      );
      if (artifact === null || used !== null) return false;
      await tx.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [sha256]);
      await record(tx, removal, { lines: 0, bytes: artifact.size_bytes });
      return true;
    });
    if (isMarked) await this.#deleteFile(sha256);
    return isMarked;
  }

  /** Deletes files whose rows were marked by a controller that then died. */
  async finish(): Promise<void> {
    const marked = await this.#sql.rows<{ sha256: string }>(
      `select sha256 from artifact where removed_at > clock_timestamp() - interval '1 day'`,
    );
    for (const { sha256 } of marked) if (await this.#store.has(sha256)) await this.#deleteFile(sha256);
  }

  /**
   * Deletes files that no row speaks of: their upload was cut off by the end of a controller, or the
   * database is older than the folder. Those of the last hour may be about to get their row.
   */
  async sweep(now: Date): Promise<Removal[]> {
    const before = new Date(now.getTime() - ORPHAN_MS);
    await this.#store.removeIncoming(new Date(now.getTime() - INCOMING_MS));
    const orphans: Removal[] = [];
    let known = 0;
    for await (const { sha256, sizeBytes } of this.#store.storedBefore(before)) {
      const row = await this.#sql.one('select 1 from artifact where sha256 = $1', [sha256]);
      if (row !== null) known += 1;
      else orphans.push({ ...ORPHAN, subject: sha256, lastUsedAt: before.toISOString(), bytes: sizeBytes });
    }
    // Rather the folder of another farm, or an empty database given by mistake.
    if (orphans.length > known) {
      writeLog('warn', 'most files in the artifact folder are unknown to this database; none is deleted', {
        known,
        unknown: orphans.length,
      });
      return [];
    }
    for (const removal of orphans) {
      await record(this.#sql, removal, removal);
      await this.#store.remove(removal.subject);
    }
    return orphans;
  }

  /** Under the lock of the row: an upload of the same file waits for it, and then looks whether its file is there. */
  async #deleteFile(sha256: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const marked = await tx.one('select 1 from artifact where sha256 = $1 and removed_at is not null for update', [
        sha256,
      ]);
      if (marked !== null) await this.#store.remove(sha256);
    });
  }
}

interface Weight {
  lines: number;
  bytes: number;
}

/** Rows of the events stay: they are a counter, and the results they brought remain. */
async function removeLogs(tx: Queries, _run: string, attempts: string[]): Promise<Weight> {
  const lines = await tx.run('delete from log_line where attempt_id = any($1)', [attempts]);
  const weight = await tx.one<{ bytes: number }>(
    `with old as (select coalesce(sum(bytes), 0)::bigint as bytes from stream where attempt_id = any($1)),
       emptied as (update stream set bytes = 0, removed_at = clock_timestamp()
         where attempt_id = any($1) and stream <> 'events' and next > 0)
     select bytes from old`,
    [attempts],
  );
  return { lines, bytes: weight?.bytes ?? 0 };
}

async function removeRun(tx: Queries, run: string, attempts: string[]): Promise<Weight> {
  const weight = await removeLogs(tx, run, attempts);
  const plans = await tx.rows<{ plan: string }>('select plan from attempt_verdicts where attempt_id = any($1)', [
    attempts,
  ]);
  for (const table of OF_ATTEMPT) await tx.run(`delete from ${table} where attempt_id = any($1)`, [attempts]);
  await forgetPlans(
    tx,
    plans.map(({ plan }) => plan),
  );
  await tx.run('delete from attempt where id = any($1)', [attempts]);
  for (const table of ['job', 'build']) await tx.run(`delete from ${table} where run_id = $1`, [run]);
  // The delivery stays known, so that a repeated one starts nothing.
  await tx.run('update webhook_delivery set run_id = null where run_id = $1', [run]);
  await tx.run('delete from run where id = $1', [run]);
  return weight;
}

async function record(tx: Queries, removal: Removal, { lines, bytes }: Weight): Promise<void> {
  await tx.run(
    `insert into retention_deletion (id, kind, subject, name, why, lines, bytes) values ($1, $2, $3, $4, $5, $6, $7)`,
    [randomUUID(), removal.kind, removal.subject, removal.name, removal.why, lines, bytes],
  );
}
