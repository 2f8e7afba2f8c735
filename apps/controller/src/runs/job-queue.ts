import { Injectable } from '@nestjs/common';
import { columnsOf, integer, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Lease } from '../schema/attempts.js';
import { Job } from '../schema/runs.js';
import { queueOrder } from './order.js';

const CLAIMABLE_JOB = {
  job_id: columnsOf(Job).id,
  ...pick(columnsOf(Job), 'run_id', 'build_id'),
  agent: columnsOf(Lease).agent,
  machine: nullable(text),
  slot: nullable(integer),
};

/** A job that can start now, with the agent, machine and slot that are free for it. `machine` is null for builds. */
export type ClaimableJob = RowOf<typeof CLAIMABLE_JOB>;

const DUE = `j.state = 'queued' and (j.not_before is null or j.not_before <= clock_timestamp()) and not r.cancel_requested`;
/**
 * The turn of a job of a run with `repeat`: everything of the run that stands before it on the machine has ended. A build that
 * is ready early does not run all its boots before the others are built.
 */
const ITS_TURN = `(j.round is null or not exists (
  select 1 from job e where e.run_id = j.run_id and e.machine = j.machine and e.position < j.position
    and e.round is not null and e.state <> 'ended'))`;
const IN_ORDER = `order by ${queueOrder('j', 'r')} limit 1`;

/** Finds the next queued job that can start. The job is locked, and skipped where another controller has it locked. */
@Injectable()
export class JobQueue {
  /**
   * Locks the first test whose machine is free, and that machine. `slot` is the lowest free one; null where the agent
   * runs any number of tests at once.
   */
  lockNextTest(tx: Queries): Promise<ClaimableJob | null> {
    return tx.one(
      CLAIMABLE_JOB,
      `select j.id as job_id, j.run_id, j.build_id, m.agent, m.name as machine, free.slot
       from job j join run r on r.id = j.run_id join machine m on m.name = j.machine join agent a on a.name = m.agent
         left join lateral (
           select s.slot from generate_series(0, a.test_slots - 1) as s(slot)
           where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                               and l.machine is not null and l.released_at is null)
           order by s.slot limit 1) free on true
       where j.kind = 'test' and ${DUE} and m.desired = 'active' and m.reachable and agent_online(a)
         and 'test' = any(a.capabilities) and (a.test_slots is null or free.slot is not null)
         and not exists (select 1 from lease l where l.machine = m.name and l.released_at is null)
         and ${ITS_TURN}
       ${IN_ORDER} for no key update of j, m skip locked`,
    );
  }

  /** Locks the first build, with the lowest free slot of an agent that builds. The index on (agent, slot) settles races. */
  lockNextBuild(tx: Queries): Promise<ClaimableJob | null> {
    return tx.one(
      CLAIMABLE_JOB,
      `select j.id as job_id, j.run_id, j.build_id, a.name as agent, null::text as machine, free.slot
       from job j join run r on r.id = j.run_id
         join agent a on 'build' = any(a.capabilities) and agent_online(a)
         join lateral (
           select s.slot from generate_series(0, a.build_slots - 1) as s(slot)
           where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                               and l.machine is null and l.released_at is null)
           order by s.slot limit 1) free on true
       where j.kind = 'build' and ${DUE}
       ${IN_ORDER} for no key update of j skip locked`,
    );
  }
}
