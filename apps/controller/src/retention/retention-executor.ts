import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { log } from '@peerlab/runtime';
import type { Removal } from '@peerlab/contracts';
import { AttemptStore } from '../attempts/attempt-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { ArtifactStore } from '../builds/artifact-store.js';
import { BuildService } from '../builds/build.service.js';
import { CrashStore } from '../crashes/crash-store.js';
import { DeliveryLog } from '../integrations/delivery-log.js';
import { ReportStore } from '../integrations/reports/report-store.js';
import { CheckStore } from '../machine-health/check-store.js';
import { SuspectStore } from '../machine-health/suspect-store.js';
import { LogService } from '../logs/log.service.js';
import { bool, columnsOf, pick } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { Artifact } from '../schema/builds.js';
import { JobService } from '../runs/job.service.js';
import { RunService } from '../runs/run.service.js';
import { ResultStore } from '../verdicts/result-store.js';
import { ARTIFACT_USES } from './candidates.js';

const ORPHAN = { kind: 'artifact', name: 'file without a record', why: 'age', lines: 0 } as const;
const ARTIFACT = columnsOf(Artifact);
/** An artifact's file is written before its row: a younger file may still get one. */
const ORPHAN_MS = 3600 * 1000;
/** Longer than any upload takes. */
const INCOMING_MS = 24 * 3600 * 1000;

/** Removes evidence and records that it did, in one transaction each. */
@Injectable()
export class RetentionExecutor {
  readonly #sql: Sql;
  readonly #store: ArtifactStore;
  readonly #builds: BuildService;
  readonly #attempts: AttemptStore;
  readonly #streams: StreamStore;
  readonly #logs: LogService;
  readonly #crashes: CrashStore;
  readonly #results: ResultStore;
  readonly #jobs: JobService;
  readonly #runs: RunService;
  readonly #deliveries: DeliveryLog;
  readonly #reports: ReportStore;
  readonly #checks: CheckStore;
  readonly #suspects: SuspectStore;

  constructor(
    sql: Sql,
    store: ArtifactStore,
    builds: BuildService,
    attempts: AttemptStore,
    streams: StreamStore,
    logs: LogService,
    crashes: CrashStore,
    results: ResultStore,
    jobs: JobService,
    runs: RunService,
    deliveries: DeliveryLog,
    reports: ReportStore,
    checks: CheckStore,
    suspects: SuspectStore,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#builds = builds;
    this.#attempts = attempts;
    this.#streams = streams;
    this.#logs = logs;
    this.#crashes = crashes;
    this.#results = results;
    this.#jobs = jobs;
    this.#runs = runs;
    this.#deliveries = deliveries;
    this.#reports = reports;
    this.#checks = checks;
    this.#suspects = suspects;
  }

  /** Returns false when it must not be removed any more: pinned or used meanwhile, or removed already. */
  async remove(removal: Removal): Promise<boolean> {
    switch (removal.kind) {
      case 'logs':
        return this.#ofRun(removal, (tx, { participants }) => this.#removeLogs(tx, participants));
      case 'run':
        return this.#ofRun(removal, (tx, ids) => this.#removeRun(tx, removal.subject, ids));
      case 'artifact':
        return this.#artifact(removal);
    }
  }

  /** Locks in the order of platform/database/locks.ts: attempts, streams, jobs, builds, the run. */
  async #ofRun(removal: Removal, work: (tx: Queries, ids: LockedAttempts) => Promise<Weight>): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      const ids = await this.#attempts.lockOfRun(tx, removal.subject);
      await this.#streams.lockAll(tx, ids.participants);
      if (removal.kind === 'run') {
        await this.#jobs.lockOfRun(tx, removal.subject);
        await this.#builds.lockOfRun(tx, removal.subject);
      }
      const run = await tx.one(
        { free: bool },
        `select state = 'ended' and not exists (select 1 from run_pin p where p.run_id = run.id) as free
         from run where id = $1 for update`,
        [removal.subject],
      );
      if (run?.free !== true) return false;
      await record(tx, removal, await work(tx, ids));
      return true;
    });
  }

  async #removeLogs(tx: Queries, participants: string[]): Promise<Weight> {
    const lines = await this.#logs.remove(tx, participants);
    return { lines, bytes: await this.#streams.markRemoved(tx, participants) };
  }

  async #removeRun(tx: Queries, run: string, { attempts, participants }: LockedAttempts): Promise<Weight> {
    const weight = await this.#removeLogs(tx, participants);
    await this.#results.remove(tx, attempts);
    await this.#crashes.remove(tx, participants);
    await this.#attempts.remove(tx, attempts, participants);
    await this.#jobs.removeOfRun(tx, run);
    await this.#builds.removeOfRun(tx, run);
    // The delivery itself stays, so that a repeated one starts no run.
    await this.#deliveries.forgetRun(tx, run);
    await this.#reports.forgetRun(tx, run);
    await this.#runs.remove(tx, run);
    await this.#checks.forgetRun(tx, run);
    await this.#suspects.remove(tx, attempts);
    return weight;
  }

  /** The row stays for the runs that name it. The file is deleted after the commit, so that every row without the mark has its file. */
  async #artifact(removal: Removal): Promise<boolean> {
    const sha256 = removal.subject;
    const isMarked = await this.#sql.transaction(async (tx) => {
      const artifact = await tx.one(
        pick(ARTIFACT, 'size_bytes'),
        'select size_bytes from artifact where sha256 = $1 and removed_at is null for update',
        [sha256],
      );
      // A run that starts to use the bundle at the same time locks its row, and finds the mark afterwards.
      await tx.run('select 1 from bundle where sha256 = $1 for update', [sha256]);
      const isUsed = await tx.exists(
        `select 1 where exists (select 1 from (${ARTIFACT_USES}) used join run r on r.id = used.run_id
           where used.sha256 = $1 and (r.state <> 'ended' or exists (select 1 from run_pin p where p.run_id = r.id)))`,
        [sha256],
      );
      if (artifact === null || isUsed) return false;
      await this.#builds.markArtifactRemoved(tx, sha256);
      await record(tx, removal, { lines: 0, bytes: artifact.size_bytes });
      return true;
    });
    if (isMarked) await this.#deleteFile(sha256);
    return isMarked;
  }

  /** Deletes the files of marked artifacts that a controller did not delete because it was killed. A file that cannot be deleted is logged. */
  async finish(): Promise<void> {
    const marked = await this.#sql.rows(
      pick(ARTIFACT, 'sha256'),
      `select sha256 from artifact where removed_at > clock_timestamp() - interval '1 day'`,
    );
    for (const { sha256 } of marked) {
      try {
        if (await this.#store.has(sha256)) await this.#deleteFile(sha256);
      } catch (err) {
        log.error({ err, sha256 }, 'artifact-not-deleted');
      }
    }
  }

  /**
   * Deletes files without a row: a controller was killed during their upload, or the database is older than the
   * folder. Files of the last hour are kept, since their row may still be written.
   */
  async sweep(now: Date): Promise<Removal[]> {
    const before = new Date(now.getTime() - ORPHAN_MS);
    await this.#store.removeIncoming(new Date(now.getTime() - INCOMING_MS));
    const orphans: Removal[] = [];
    let known = 0;
    for await (const { sha256, sizeBytes } of this.#store.storedBefore(before)) {
      if (await this.#sql.exists('select 1 from artifact where sha256 = $1', [sha256])) known += 1;
      else orphans.push({ ...ORPHAN, subject: sha256, lastUsedAt: before.toISOString(), bytes: sizeBytes });
    }
    // More likely the folder of another farm, or an empty database configured by mistake.
    if (orphans.length > known) {
      log.warn({ known, unknown: orphans.length }, 'artifact-sweep-refused');
      return [];
    }
    for (const removal of orphans) {
      await record(this.#sql, removal, removal);
      await this.#store.remove(removal.subject);
    }
    return orphans;
  }

  /** Holds the lock of the row: an upload of the same file waits for it, and then checks that its file exists. */
  async #deleteFile(sha256: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const isMarked = await tx.exists(
        'select 1 from artifact where sha256 = $1 and removed_at is not null for update',
        [sha256],
      );
      if (isMarked) await this.#store.remove(sha256);
    });
  }
}

type LockedAttempts = Awaited<ReturnType<AttemptStore['lockOfRun']>>;

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
