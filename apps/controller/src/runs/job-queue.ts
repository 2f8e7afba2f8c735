import { Injectable } from '@nestjs/common';
import type { PeerPath } from '@peerlab/contracts';
import { bool, columnsOf, integer, json, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Lease } from '../schema/attempts.js';
import { Job } from '../schema/runs.js';
import { fitsWish, laneMachine } from './candidates.js';
import { queueOrder } from './order.js';

const CLAIMABLE_JOB = {
  job_id: columnsOf(Job).id,
  ...pick(columnsOf(Job), 'run_id', 'build_id'),
  agent: columnsOf(Lease).agent,
  machine: nullable(text),
  slot: nullable(integer),
  path: nullable(json<PeerPath>()),
};

/** A job that can start now, with the agent, machine, path and slot that are free for it. Builds have no machine and path. */
export type ClaimableJob = RowOf<typeof CLAIMABLE_JOB>;

const DUE = `j.state = 'queued' and (j.not_before is null or j.not_before <= clock_timestamp()) and not r.cancel_requested`;
/**
 * The turn of a job of a run with `repeat`: everything of its lane that stands before it has ended. A build that is ready
 * early does not run all its boots before the others are built.
 */
const ITS_TURN = `(j.round is null or not exists (
  select 1 from job e where e.run_id = j.run_id and e.lane = j.lane and e.position < j.position
    and e.round is not null and e.state <> 'ended'))`;
/** Modules of a bundle that take what they find, or an agent that cannot tell them, test the first pair of a machine. */
const TAKES_PAIR = `(p.position = 0 or a.binds_pairs and exists (
  select 1 from build b join bundle u on u.key = b.bundle_key where b.id = j.build_id and u.manifest ? 'binds'))`;
/** Its agent may give it a test now, as far as the agent's slots allow. */
const CAN_START = `m.desired = 'active' and m.reachable and agent_online(a) and 'test' = any(a.capabilities)
  and not exists (select 1 from lease l where l.machine = m.name and l.released_at is null)`;
/** The machine that waited longest since its last job: all of a combination are used alike, and one that just failed last. */
const LEAST_USED = `(select max(l.released_at) from lease l where l.machine = m.name) nulls first, m.name`;

/** The builder allows the repository of the build; one that tells no repositories would build the farm's base instead. */
const BUILDS_SOURCE = `(not b.spec ?| array['git', 'tarball', 'fragment'] or a.catalogue ? 'repositories')
  and (b.spec #>> '{git,url}' is null or a.catalogue -> 'repositories' ? (b.spec #>> '{git,url}'))`;

/** Finds the next queued job that can start. The job is locked, and skipped where another controller has it locked. */
@Injectable()
export class JobQueue {
  /**
   * Locks the first test that a free machine may take, and that machine: the least recently used one of those that may, by
   * name where none was ever used. `slot` is the lowest free one; null where the agent runs any number of tests at once.
   * Jobs are looked at in their order until one has a machine, so a long queue costs what its first job costs.
   */
  lockNextTest(tx: Queries): Promise<ClaimableJob | null> {
    return tx.one(
      CLAIMABLE_JOB,
      `select j.id as job_id, j.run_id, j.build_id, t.agent, t.machine, t.slot, t.path
       from (select j.* from job j join run r on r.id = j.run_id
             where j.kind = 'test' and ${DUE} order by ${queueOrder('j', 'r')}) j
         cross join lateral (
           select m.name as machine, m.agent, free.slot, p.path
           from machine_path p join machine m on m.name = p.machine join agent a on a.name = m.agent
             left join lateral (
               select s.slot from generate_series(0, a.test_slots - 1) as s(slot)
               where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                                   and l.machine is not null and l.released_at is null)
               order by s.slot limit 1) free on true
           where ${ITS_TURN} and ${fitsWish('j')} and ${CAN_START} and (a.test_slots is null or free.slot is not null)
             and (j.lane is null or m.name = coalesce(${laneMachine('j')}, m.name)) and ${TAKES_PAIR}
           order by ${LEAST_USED} limit 1 for no key update of m skip locked) t
         cross join lateral (
           select 1 from job own where own.id = j.id and own.state = 'queued' for no key update skip locked) own
       limit 1`,
    );
  }

  /** Locks the first build, with the lowest free slot of an agent that builds. The index on (agent, slot) settles races. */
  lockNextBuild(tx: Queries): Promise<ClaimableJob | null> {
    return tx.one(
      CLAIMABLE_JOB,
      `select j.id as job_id, j.run_id, j.build_id, a.name as agent, null::text as machine, free.slot, null::jsonb as path
       from job j join run r on r.id = j.run_id
         join build b on b.id = j.build_id
         join agent a on 'build' = any(a.capabilities) and agent_online(a)
         join lateral (
           select s.slot from generate_series(0, a.build_slots - 1) as s(slot)
           where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                               and l.machine is null and l.released_at is null)
           order by s.slot limit 1) free on true
       where j.kind = 'build' and ${DUE} and ${BUILDS_SOURCE}
       order by ${queueOrder('j', 'r')} limit 1 for no key update of j skip locked`,
    );
  }

  /** Whether an active machine may take a test that could not be restored after on another one. */
  async hasActiveMachine(tx: Queries, jobId: string): Promise<boolean> {
    const found = await tx.one(
      { found: bool },
      `select exists (
         select 1 from job j, machine_path p join machine m on m.name = p.machine join agent a on a.name = m.agent
         where j.id = $1 and ${fitsWish('j')} and m.desired = 'active' and ${TAKES_PAIR}
           and m.name = coalesce(${laneMachine('j')}, m.name)) as found`,
      [jobId],
    );
    return found?.found === true;
  }
}
