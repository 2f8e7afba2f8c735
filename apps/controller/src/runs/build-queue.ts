import { Injectable } from '@nestjs/common';
import { columnsOf, integer, nullable, pick, type RowOf } from '../platform/database/row-shape.js';
import { prepared, type Queries } from '../platform/database/sql.js';
import { Lease } from '../schema/attempts.js';
import { Job } from '../schema/runs.js';
import { DUE, queueOrder } from './order.js';

const CLAIMABLE_BUILD = {
  job_id: columnsOf(Job).id,
  ...pick(columnsOf(Job), 'run_id', 'build_id'),
  agent: columnsOf(Lease).agent,
  slot: nullable(integer),
};
/** A build that can start now, with an agent and its free slot. */
export type ClaimableBuild = RowOf<typeof CLAIMABLE_BUILD>;

/**
 * The builder allows the repository of the build, or knows its base; one that tells no repositories, or no bases, would build the
 * farm's base instead, and one that does not tell of files of configurations would take the default.
 */
const BUILDS_SOURCE = `(not b.spec ?| array['git', 'tarball', 'fragment'] or a.catalogue ? 'repositories')
  and (b.spec #>> '{git,url}' is null or a.catalogue -> 'repositories' ? (b.spec #>> '{git,url}'))
  and (not b.spec ? 'configFile' or coalesce((a.catalogue ->> 'configFiles')::boolean, false))
  and (b.spec ->> 'base' is null or coalesce(a.catalogue -> 'bases' ? (b.spec ->> 'base'), false))`;

const HAS_BUILDS = prepared(`select 1 from job where kind = 'build' and state = 'queued' limit 1`);
const NEXT_BUILD = prepared(
  `select j.id as job_id, j.run_id, j.build_id, a.name as agent, free.slot
   from job j join run r on r.id = j.run_id
     join build b on b.id = j.build_id
     join agent a on 'build' = any(a.capabilities) and agent_online(a)
     join lateral (
       select s.slot from generate_series(0, a.build_slots - 1) as s(slot)
       where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                           and l.machine is null and l.released_at is null)
       order by s.slot limit 1) free on true
   where j.kind = 'build' and ${DUE} and ${BUILDS_SOURCE}
   order by ${queueOrder('j')} limit 1 for no key update of j skip locked`,
);

/** Finds the queued builds that can start. */
@Injectable()
export class BuildQueue {
  /** Whether builds are in the queue. */
  hasBuilds(queries: Queries): Promise<boolean> {
    return queries.exists(HAS_BUILDS);
  }

  /** Locks the first build, with the lowest free slot of an agent that builds. The index on (agent, slot) settles races. */
  lockNextBuild(tx: Queries): Promise<ClaimableBuild | null> {
    return tx.one(CLAIMABLE_BUILD, NEXT_BUILD);
  }
}
