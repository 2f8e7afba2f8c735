import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Removal } from '@peerlab/contracts';
import { AttemptStore } from '../attempts/attempt-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { ArtifactStore } from '../builds/artifact-store.js';
import { BuildService } from '../builds/build.service.js';
import { DeliveryLog } from '../integrations/delivery-log.js';
import { LogService } from '../logs/log.service.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { writeLog } from '../platform/logging.js';
import { JobService } from '../runs/job.service.js';
import { RunService } from '../runs/run.service.js';
import { ResultStore } from '../verdicts/result-store.js';
import { ARTIFACT_USES } from './candidates.js';

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
  readonly #builds: BuildService;
  readonly #attempts: AttemptStore;
  readonly #streams: StreamStore;
  readonly #logs: LogService;
  readonly #results: ResultStore;
  readonly #jobs: JobService;
  readonly #runs: RunService;
  readonly #deliveries: DeliveryLog;

  constructor(
    sql: Sql,
    store: ArtifactStore,
    builds: BuildService,
    attempts: AttemptStore,
    streams: StreamStore,
    logs: LogService,
    results: ResultStore,
    jobs: JobService,
    runs: RunService,
    deliveries: DeliveryLog,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#builds = builds;
    this.#attempts = attempts;
    this.#streams = streams;
    this.#logs = logs;
    this.#results = results;
    this.#jobs = jobs;
    this.#runs = runs;
    this.#deliveries = deliveries;
  }

  /** False when it is no longer to be removed: pinned, used again, or gone already. */
  async remove(removal: Removal): Promise<boolean> {
    switch (removal.kind) {
      case 'logs':
        return this.#ofRun(removal, (tx, attempts) => this.#removeLogs(tx, attempts));
      case 'run':
        return this.#ofRun(removal, (tx, attempts) => this.#removeRun(tx, removal.subject, attempts));
      case 'artifact':
        return this.#artifact(removal);
    }
  }

  async #ofRun(removal: Removal, work: (tx: Queries, attempts: string[]) => Promise<Weight>): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      const ids = await this.#attempts.lockOfRun(tx, removal.subject);
      await this.#streams.lockAll(tx, ids);
      if (removal.kind === 'run') {
        await this.#jobs.lockOfRun(tx, removal.subject);
        await this.#builds.lockOfRun(tx, removal.subject);
      }
      const run = await tx.one<{ free: boolean }>(
        `select state = 'ended' and not exists (select 1 from run_pin p where p.run_id = run.id) as free
         from run where id = $1 for update`,
        [removal.subject],
      );
      if (run?.free !== true) return false;
      await record(tx, removal, await work(tx, ids));
      return true;
    });
  }

  async #removeLogs(tx: Queries, attempts: string[]): Promise<Weight> {
    const lines = await this.#logs.remove(tx, attempts);
    return { lines, bytes: await this.#streams.markRemoved(tx, attempts) };
  }

  async #removeRun(tx: Queries, run: string, attempts: string[]): Promise<Weight> {
    const weight = await this.#removeLogs(tx, attempts);
    await this.#results.remove(tx, attempts);
    await this.#attempts.remove(tx, attempts);
    await this.#jobs.removeOfRun(tx, run);
    await this.#builds.removeOfRun(tx, run);
    // The delivery stays known, so that a repeated one starts nothing.
    await this.#deliveries.forgetRun(tx, run);
    await this.#runs.remove(tx, run);
    return weight;
  }

  /** The row stays for the runs that name it; the file goes after the commit, so a row without the mark has its file. */
  async #artifact(removal: Removal): Promise<boolean> {
    const sha256 = removal.subject;
    const isMarked = await this.#sql.transaction(async (tx) => {
      const artifact = await tx.one<{ size_bytes: number }>(
        'select size_bytes from artifact where sha256 = $1 and removed_at is null for update',
        [sha256],
      );
      // A run that takes the bundle at this moment locks its row, and finds the mark afterwards.
      await tx.rows('select 1 from bundle where sha256 = $1 for update', [sha256]);
      const used = await tx.one(
        `select 1 where exists (select 1 from (${ARTIFACT_USES}) used join run r on r.id = used.run_id
           where used.sha256 = $1 and (r.state <> 'ended' or exists (select 1 from run_pin p where p.run_id = r.id)))`,
        [sha256],
      );
      if (artifact === null || used !== null) return false;
      await this.#builds.markArtifactRemoved(tx, sha256);
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

async function record(tx: Queries, removal: Removal, { lines, bytes }: Weight): Promise<void> {
  await tx.run(
    `insert into retention_deletion (id, kind, subject, name, why, lines, bytes) values ($1, $2, $3, $4, $5, $6, $7)`,
    [randomUUID(), removal.kind, removal.subject, removal.name, removal.why, lines, bytes],
  );
}
