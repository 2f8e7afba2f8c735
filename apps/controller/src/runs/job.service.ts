import { Injectable } from '@nestjs/common';
import type { PeerPath, Verdict } from '@peerlab/contracts';
import { announce, type BusMessage } from '../platform/database/bus.js';
import { bool, columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import { jsonb } from '../platform/database/storable.js';
import { prepared, type Queries } from '../platform/database/sql.js';
import { Job, Run } from '../schema/runs.js';
import type { MachineWish } from './candidates.js';
import { queueAt } from './order.js';
import { rollUpRun, runChanged } from './rollup.js';

/** Pause before a further attempt grows with their number; what broke needs a moment. */
export const RETRY_PAUSE_SECONDS = 2;

const LOCKED_JOB = {
  ...pick(columnsOf(Job), 'id', 'run_id', 'build_id', 'kind', 'state'),
  cancel_requested: columnsOf(Run).cancel_requested,
};

/** A job whose row is locked, with whether its run is to be canceled. */
export type LockedJob = RowOf<typeof LOCKED_JOB>;

/** A role of a job that has several. */
export interface NewRole {
  role: string;
  buildId: string;
  buildName: string;
  wish: MachineWish;
  path: PeerPath;
  suites: readonly string[];
}

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
  /** Empty = one, which the job itself describes. */
  roles: readonly NewRole[];
  sameLabels: readonly string[];
  /** As in the table. */
  round: number | null;
  lane: number | null;
}

/** A job that starts, with the machine and the devices of each of its roles; none for builds. */
export interface StartedJob {
  id: string;
  runId: string;
  places: readonly { machine: string; path: PeerPath }[];
  /** Of its attempt, from 1. */
  number: number;
}

const START = prepared(`
  update job j set state = 'running', not_before = null, machine = n.places #>> '{0,machine}', path = n.places #> '{0,path}'
  from jsonb_to_recordset($1) as n(id uuid, places jsonb) where j.id = n.id`);
const LOCK_RUNS = prepared(
  `select state = 'queued' as queued from run where id = any($1) and (state = 'queued' or id = any($2)) order by id for update`,
);

/** Jobs of one insert: a row of 16 000 has some 500 bytes of JSON. */
const INSERTED_AT_ONCE = 8000;

/** The moves of a job; callers hold the attempt's lock already. */
@Injectable()
export class JobService {
  /** Stores the jobs of a run, in few statements: 16 000 single ones would hold the run's lock for a minute. */
  async add(tx: Queries, runId: string, jobs: readonly NewJob[]): Promise<void> {
    for (let from = 0; from < jobs.length; from += INSERTED_AT_ONCE) {
      const some = jobs.slice(from, from + INSERTED_AT_ONCE);
      await tx.run(
        `with now as materialized (
           select clock_timestamp() as at, priority, purpose from run where id = $1)
         insert into job (id, run_id, build_id, build_name, position, kind, purpose, state, machine, only_machine,
           combination, pair, labels, own_suites, path, suites, round, lane, roles, same_labels, queued_at, queue_at)
         select n.id, $1, n."buildId", n."buildName", n.position, n.kind, now.purpose, n.state, w."onlyMachine", w."onlyMachine",
           w.combination, coalesce(w.pair, 0), coalesce(w.labels, '{}'), coalesce(w."ownSuites", false), n.path, n.suites, n.round, n.lane,
           greatest(1, n.roles), n."sameLabels", now.at, ${queueAt('now.at', 'now.priority')}
         from now, jsonb_to_recordset($2) as n(id uuid, "buildId" uuid, "buildName" text, position int, kind text,
             state text, wish jsonb, path jsonb, suites text[], round int, lane int, roles int, "sameLabels" text[])
           cross join lateral jsonb_to_record(coalesce(n.wish, '{}'))
             as w("onlyMachine" text, combination text, pair int, labels jsonb, "ownSuites" boolean)`,
        [runId, jsonb(some.map(({ roles, ...job }) => ({ ...job, roles: roles.length })))],
      );
    }
    const roles = jobs.flatMap(({ id, roles: own }) => own.map((role, position) => ({ jobId: id, position, ...role })));
    for (let from = 0; from < roles.length; from += INSERTED_AT_ONCE) {
      await tx.run(
        `insert into job_role (job_id, position, role, build_id, build_name, machine, only_machine, combination, pair, labels,
           own_suites, path, suites)
         select n."jobId", n.position, n.role, n."buildId", n."buildName", w."onlyMachine", w."onlyMachine", w.combination,
           w.pair, w.labels, w."ownSuites", n.path, n.suites
         from jsonb_to_recordset($1) as n("jobId" uuid, position int, role text, "buildId" uuid, "buildName" text,
             wish jsonb, path jsonb, suites text[])
           cross join lateral jsonb_to_record(n.wish)
             as w("onlyMachine" text, combination text, pair int, labels jsonb, "ownSuites" boolean)`,
        [jsonb(roles.slice(from, from + INSERTED_AT_ONCE))],
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
   * queued → running; their runs run from the first one on. The row of a run is locked only when that changes, or when
   * results of an earlier attempt count no more.
   * @param others what else the transaction announces
   */
  async start(tx: Queries, started: readonly StartedJob[], others: readonly BusMessage[]): Promise<void> {
    await tx.run(START, [jsonb(started)]);
    const several = started.filter(({ places }) => places.length > 1);
    if (several.length > 0) {
      await tx.run(
        `update job_role o set machine = p.place ->> 'machine', path = p.place -> 'path'
         from jsonb_to_recordset($1) as n(id uuid, places jsonb)
           cross join lateral jsonb_array_elements(n.places) with ordinality as p(place, number)
         where o.job_id = n.id and o.position = p.number - 1`,
        [jsonb(several)],
      );
    }
    const runs = [...new Set(started.map(({ runId }) => runId))].toSorted();
    const again = new Set(started.flatMap(({ runId, number }) => (number > 1 ? [runId] : [])));
    const locked = await tx.rows({ queued: bool }, LOCK_RUNS, [runs, [...again]]);
    if (locked.some(({ queued }) => queued)) {
      await tx.run(
        `update run set state = 'running', started_at = coalesce(started_at, clock_timestamp())
         where id = any($1) and state = 'queued'`,
        [runs],
      );
    }
    for (const run of again) await rollUpRun(tx, run);
    await announce(tx, ...runs.filter((run) => !again.has(run)).map(runChanged), ...others);
  }

  /** running → queued, keeping its age in the queue. Another machine may take it, where it is not for one alone. */
  async requeue(tx: Queries, job: LockedJob, attemptNumber: number): Promise<void> {
    await tx.run(
      `update job set state = 'queued', verdict = null, machine = only_machine,
         not_before = clock_timestamp() + make_interval(secs => $2) where id = $1`,
      [job.id, RETRY_PAUSE_SECONDS * attemptNumber],
    );
    await tx.run('update job_role set machine = only_machine where job_id = $1', [job.id]);
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

  /**
   * Locks the test jobs that wait for a build. To be called before the build is locked that they wait for: of two builds of
   * one job that end at the same time, the second one sees that the first is there.
   */
  async lockBlockedBy(tx: Queries, buildId: string): Promise<void> {
    await tx.run(
      `select 1 from job where state = 'blocked' and (build_id = $1 or id in (select job_id from job_role where build_id = $1))
       order by id for update`,
      [buildId],
    );
  }

  /** Lets the test jobs into the queue that waited for this build, which is ready, and for no other one any more. */
  async unblock(tx: Queries, buildId: string): Promise<void> {
    await tx.run(
      `update job set state = 'queued'
       where kind = 'test' and state = 'blocked'
         and (build_id = $1 or id in (select job_id from job_role where build_id = $1))
         and not exists (select 1 from job_role o join build b on b.id = o.build_id where o.job_id = job.id and b.state <> 'ready')`,
      [buildId],
    );
    await announce(tx, { type: 'dispatch' });
  }

  /** Ends the test jobs of a build that will not come. */
  async abandon(tx: Queries, buildId: string, verdict: Verdict, note: string): Promise<void> {
    await tx.run(
      `update job set state = 'ended', verdict = $2, note = $3, ended_at = clock_timestamp()
       where kind = 'test' and state = 'blocked'
         and (build_id = $1 or id in (select job_id from job_role where build_id = $1))`,
      [buildId, verdict, note],
    );
  }

  /** Removes the jobs of a run whose attempts are gone already. */
  async removeOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('delete from job_role where job_id in (select id from job where run_id = $1)', [runId]);
    await tx.run('delete from job where run_id = $1', [runId]);
  }
}
