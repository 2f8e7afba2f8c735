import type { QueuedJob } from '@peerlab/contracts';
import { IS_CACHED } from '../attempts/attempt.view.js';
import {
  bool,
  columnsOf,
  float,
  integer,
  json,
  nullable,
  text,
  uuid,
  type RowOf,
} from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import type { StoredProgress } from '../schema/attempts.js';
import { Job } from '../schema/runs.js';
import type { BuildSample } from './build-durations.js';
import { fitsWish, readCandidates, rolesColumn, wishKey, type MachineWish, type RoleWish } from './candidates.js';
import type { DurationSample } from './queue-forecast.js';

/** With more jobs than this in the queue no start is forecast. */
export const LINE_MAX = 2000;
/** Machines whose earlier attempts are read, and how many of each; the other machines are judged by those. */
const SAMPLED_MACHINES = 64;
const SAMPLES = 10;
const BUILD_SAMPLES = 60;
/**
 * Whether a bundle of the same inputs is stored, which SQL looks up for builds `b`: of the same series and configuration, by
 * the recipe that a connected builder has (any builder while none is). A builder that tells none, as older ones, is taken for unchanged; a build from before
 * recipes were recorded is not, as kernel/ may have changed since.
 */
export const IS_STORED = `exists (select 1 from build o join bundle u on u.key = o.bundle_key join artifact a on a.sha256 = u.sha256
  where o.inputs = b.inputs and o.inputs <> '' and o.state = 'ready' and a.removed_at is null
    and exists (select 1 from agent g where 'build' = any(g.capabilities)
      and (agent_online(g) or not exists (select 1 from agent h where 'build' = any(h.capabilities) and agent_online(h)))
      and (g.catalogue ->> 'recipe' is null or g.catalogue ->> 'recipe' = o.recipe)))`;

/** A job in the queue, or planned for it. */
export interface LineJob extends QueuedJob {
  kind: 'build' | 'test';
  buildId: string;
  /** All builds that it waits for while it is blocked. */
  buildIds: readonly string[];
  /** Names of the machines that may take it; none for builds, and for tests that no machine may take any more. */
  machines: readonly string[];
  /** Of a test with several roles what each may have; `machines` is all of them. */
  roles?: readonly (readonly string[])[] | undefined;
  suites: string[];
  readyInMs: number;
  /** It waits for its build, which is queued or runs. */
  isBlocked: boolean;
  /** Of its build. */
  size: string;
  isStored: boolean;
}

const LINE_JOB = {
  id: uuid,
  kind: columnsOf(Job).kind,
  buildId: uuid,
  wishes: json<RoleWish[]>(),
  suites: json<string[]>(),
  priority: integer,
  position: integer,
  queuedAtMs: float,
  readyInMs: float,
  isBlocked: bool,
  size: text,
  isStored: bool,
};

/** An attempt that holds a lease. `elapsedMs` is how long it runs, in milliseconds. */
const LEASED_WORK = {
  id: uuid,
  size: text,
  isStored: bool,
  machine: nullable(text),
  buildId: uuid,
  suites: json<string[]>(),
  elapsedMs: float,
  progress: nullable(json<StoredProgress>()),
  /** Time of the query, by the controller's clock. */
  nowMs: float,
};
type LeasedWork = RowOf<typeof LEASED_WORK>;

const QUEUE_MACHINE = {
  name: text,
  agent: text,
  testSlots: nullable(integer),
  /** Why no job takes it: how long its reservation lasts from when nothing runs there; null = it has none, or it is restored. */
  reservedMs: nullable(float),
  isReserved: bool,
};
const DURATION_SAMPLE = { machine: text, suites: json<string[]>(), ms: float };

/** All that decides when jobs start. */
export interface QueueState {
  machines: RowOf<typeof QUEUE_MACHINE>[];
  buildSlots: number;
  line: LineJob[];
  leased: LeasedWork[];
  samples: DurationSample[];
  built: BuildSample[];
}

const SUITES = `coalesce(to_jsonb(j.suites), r.spec -> 'suites')`;
/** What of a job's build the estimates need. */
const BUILD_COLUMNS = `b.size, ${IS_STORED} as "isStored"`;
const LINE_COLUMNS = `${BUILD_COLUMNS}, j.id, j.kind, j.build_id as "buildId", case when j.kind = 'test' then ${rolesColumn('j')} else '[]' end as wishes, ${SUITES} as suites, r.priority, j.position,
  (extract(epoch from j.queued_at) * 1000)::float8 as "queuedAtMs", j.state = 'blocked' as "isBlocked",
  greatest(0, coalesce(extract(epoch from j.not_before - clock_timestamp()) * 1000, 0))::float8 as "readyInMs"`;

/** All that decides when jobs on these machines start. `runId`: also its jobs that wait for a build. */
export async function readQueue(sql: Queries, named: readonly string[], runId: string | null): Promise<QueueState> {
  // Where an agent limits how much it runs at once, its other machines matter too.
  const near = await machinesNear(sql, named);
  const line = await sql.rows(
    LINE_JOB,
    `select * from (
       select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
       where j.state = 'queued' and j.kind = 'test' and not r.cancel_requested and (exists (
         select 1 from machine_path p join machine m on m.name = p.machine where m.name = any($1) and ${fitsWish('j')})
         or j.roles > 1 and exists (
           select 1 from job_role o join machine_path p on p.combination = o.combination join machine m on m.name = p.machine
           where o.job_id = j.id and m.name = any($1) and ${fitsWish('o')}))
       union all select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
       where j.state = 'queued' and j.kind = 'build' and not r.cancel_requested
       union all select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
       where j.state = 'blocked' and j.run_id = $2) line limit $3`,
    [near.map(({ name }) => name), runId, LINE_MAX + 1],
  );
  const candidates = await readCandidates(
    sql,
    line.flatMap(({ wishes }) => wishes.map(({ wish }) => wish)),
  );
  const namesOfRoles = namesByRoles(candidates);
  const machines = await machinesNear(sql, [...new Set([...near.map(({ name }) => name), ...namesOf(candidates)])]);
  const names = machines.map(({ name }) => name);
  const [slots, leased, samples, built] = await Promise.all([
    sql.one(
      { n: integer },
      `select coalesce(sum(build_slots), 0)::int as n from agent a where 'build' = any(a.capabilities) and agent_online(a)`,
    ),
    sql.rows(
      LEASED_WORK,
      `select j.id, ${BUILD_COLUMNS}, l.machine, j.build_id as "buildId", ${SUITES} as suites, t.progress, (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
         (extract(epoch from clock_timestamp() - t.started_at) * 1000)::float8 as "elapsedMs"
       from lease l join participant p on p.id = l.participant_id join attempt t on t.id = p.attempt_id
         join job j on j.id = t.job_id join run r on r.id = j.run_id
         join build b on b.id = j.build_id
       where l.released_at is null and (l.machine is null or l.machine = any($1))`,
      [names],
    ),
    sql.rows(
      DURATION_SAMPLE,
      `select s.* from unnest($1::text[]) as m(name) cross join lateral (
         select p.machine, ${SUITES} as suites, (extract(epoch from p.ended_at - p.started_at) * 1000)::float8 as ms
         from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
         where p.machine = m.name and p.state = 'ended' and p.failure is null
         order by p.started_at desc limit $2) s`,
      [[...new Set([...named, ...names])].slice(0, SAMPLED_MACHINES), SAMPLES],
    ),
    sql.rows(
      { size: text, cached: bool, ms: float },
      `select b.size, ${IS_CACHED} as cached, (extract(epoch from t.ended_at - t.started_at) * 1000)::float8 as ms
       from (select id, size from build order by created_at desc, id desc limit $1) b
         join job j on j.build_id = b.id and j.kind = 'build' join attempt t on t.job_id = j.id
       where t.state = 'ended' and t.failure is null`,
      [BUILD_SAMPLES],
    ),
  ]);
  return {
    machines,
    buildSlots: slots?.n ?? 0,
    line: line.map(({ wishes, ...job }) => ({
      ...job,
      buildIds:
        job.kind === 'build' ? [job.buildId] : wishes.flatMap(({ buildId, isBuilt }) => (isBuilt ? [] : [buildId])),
      ...namesOfRoles(wishes.map(({ wish }) => wish)),
    })),
    leased,
    samples,
    built,
  };
}

/** These machines, and those that share slots with one of them. */
function machinesNear(sql: Queries, named: readonly string[]): Promise<QueueState['machines']> {
  return sql.rows(
    QUEUE_MACHINE,
    `select m.name, m.agent, a.test_slots as "testSlots", m.reserved is not null as "isReserved", (
         select case r.state when 'waiting' then r.seconds * 1000
           when 'held' then greatest(0, extract(epoch from r.until - clock_timestamp()) * 1000) end::float8
         from reservation r where r.id = m.reserved) as "reservedMs"
     from machine m join agent a on a.name = m.agent
     where m.name = any($1) or (a.test_slots is not null and m.agent in (select agent from machine where name = any($1)))
     order by m.name`,
    [named],
  );
}

export type Candidates = Awaited<ReturnType<typeof readCandidates>>;

export const namesOf = (candidates: Candidates): string[] => [...candidates.values()].flat().map(({ name }) => name);

/**
 * The names for the roles of a job, and of one with several all of them together; of equal wishes one and the same array.
 */
export function namesByRoles(
  candidates: Candidates,
): (wishes: readonly MachineWish[]) => Pick<LineJob, 'machines' | 'roles'> {
  const names = new Map([...candidates].map(([key, machines]) => [key, machines.map(({ name }) => name)]));
  return (wishes) => {
    const roles = wishes.map((wish) => names.get(wishKey(wish)) ?? []);
    return roles.length < 2 ? { machines: roles[0] ?? [] } : { machines: [...new Set(roles.flat())], roles };
  };
}
