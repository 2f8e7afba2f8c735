import { Injectable } from '@nestjs/common';
import type { PeerPath, Verdict } from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import { jsonb } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';
import { Job, Run } from '../schema/runs.js';
import type { MachineWish } from './candidates.js';
import { announceRun, rollUpRun } from './rollup.js';

/** Pause before a further attempt grows with their number; what broke needs a moment. */
export const RETRY_PAUSE_SECONDS = 2;

const LOCKED_JOB = {
  ...pick(columnsOf(Job), 'id', 'run_id', 'build_id', 'kind', 'state'),
  cancel_requested: columnsOf(Run).cancel_requested,
};

/** A job whose row is locked, with whether its run is to be canceled. */
export type LockedJob = RowOf<typeof LOCKED_JOB>;

/** A job to be stored. Builds ask for no machine, and have no path and suites. */
export interface NewJob {
  id: string;
  buildId: string;
  buildName: string;
  /** In its run. */
  position: number;
  kind: 'build' | 'test';
  state: 'blocked' | 'queued';
  wish: MachineWish | null;
  path: PeerPath | null;
  suites: readonly string[] | null;
  /** As in the table. */
  round: number | null;
  lane: number | null;
}

/** Jobs of one insert: a row of 16 000 has some 500 bytes of JSON. */
const INSERTED_AT_ONCE = 8000;

/** The moves of a job; callers hold the attempt's lock already. */
@Injectable()
export class JobService {
  /** Stores the jobs of a run, in few statements: 16 000 single ones would hold the run's lock for a minute. */
  async add(tx: Queries, runId: string, jobs: readonly NewJob[]): Promise<void> {
    for (let from = 0; from < jobs.length; from += INSERTED_AT_ONCE) {
      await tx.run(
        `insert into job (id, run_id, build_id, build_name, position, kind, state, machine, only_machine,
           combination, pair, labels, own_suites, path, suites, round, lane)
         select n.id, $1, n."buildId", n."buildName", n.position, n.kind, n.state, w."onlyMachine", w."onlyMachine",
           w.combination, coalesce(w.pair, 0), coalesce(w.labels, '{}'), coalesce(w."ownSuites", false), n.path, n.suites, n.round, n.lane
         from jsonb_to_recordset($2) as n(id uuid, "buildId" uuid, "buildName" text, position int, kind text,
             state text, wish jsonb, path jsonb, suites text[], round int, lane int)
           cross join lateral jsonb_to_record(coalesce(n.wish, '{}'))
             as w("onlyMachine" text, combination text, pair int, labels jsonb, "ownSuites" boolean)`,
        [runId, jsonb(jobs.slice(from, from + INSERTED_AT_ONCE))],
      );
    }
  }

  /** Locks a job; null when there is none. */
  lock(tx: Queries, id: string): Promise<LockedJob | null> {
    return tx.one(
      LOCKED_JOB,
      `select j.id, j.run_id, j.build_id, j.kind, j.state, r.cancel_requested
       from job j join run r on r.id = j.run_id where j.id = $1 for update of j`,
      [id],
    );
  }

  /** Locks all jobs of a run. */
  async lockOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('select 1 from job where run_id = $1 order by id for update', [runId]);
  }

  /**
   * queued → running; its run runs from the first one on. The row of the run is locked only when that changes.
   * @param place the machine that runs it and its devices there; null for builds
   * @param attemptNumber from 1; the results of an earlier attempt count no more, so the run is summed up again
   */
  async start(
    tx: Queries,
    { id, runId, place }: { id: string; runId: string; place: { machine: string; path: PeerPath } | null },
    attemptNumber: number,
  ): Promise<void> {
    await tx.run(
      `with started as (
         update job set state = 'running', not_before = null, machine = $3, path = $4 where id = $1)
       update run set state = 'running', started_at = coalesce(started_at, clock_timestamp())
       where id = $2 and state = 'queued'`,
      [id, runId, place?.machine ?? null, place === null ? null : jsonb(place.path)],
    );
    if (attemptNumber > 1) await rollUpRun(tx, runId);
    else await announceRun(tx, runId);
  }

  /** running → queued, keeping its age in the queue. Another machine may take it, where it is not for one alone. */
  async requeue(tx: Queries, job: LockedJob, attemptNumber: number): Promise<void> {
    await tx.run(
      `update job set state = 'queued', verdict = null, machine = only_machine,
         not_before = clock_timestamp() + make_interval(secs => $2) where id = $1`,
      [job.id, RETRY_PAUSE_SECONDS * attemptNumber],
    );
    await announce(tx, { type: 'dispatch' });
    await rollUpRun(tx, job.run_id);
  }

  /** Ends a job with its verdict. `note` says why when no attempt was made. */
  async end(tx: Queries, job: LockedJob, verdict: Verdict, note: string | null = null): Promise<void> {
    await tx.run(
      `update job set state = 'ended', verdict = $2, note = $3, ended_at = clock_timestamp() where id = $1`,
      [job.id, verdict, note],
    );
    await rollUpRun(tx, job.run_id);
  }

  /** Lets the test jobs of a build that is ready into the queue. */
  async unblock(tx: Queries, buildId: string): Promise<void> {
    await tx.run(`update job set state = 'queued' where build_id = $1 and kind = 'test' and state = 'blocked'`, [
      buildId,
    ]);
    await announce(tx, { type: 'dispatch' });
  }

  /** Ends the test jobs of a build that will not come. */
  async abandon(tx: Queries, buildId: string, verdict: Verdict, note: string): Promise<void> {
    await tx.run(
      `update job set state = 'ended', verdict = $2, note = $3, ended_at = clock_timestamp()
       where build_id = $1 and kind = 'test' and state = 'blocked'`,
      [buildId, verdict, note],
    );
  }

  /** Removes the jobs of a run whose attempts are gone already. */
  async removeOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('delete from job where run_id = $1', [runId]);
  }
}
