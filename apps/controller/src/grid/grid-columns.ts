import {
  machinesOf,
  pairOf,
  type BootNumber,
  type GridColumn,
  type PeerPath,
  type TestedRole,
} from '@peerlab/contracts';
import { columnsOf, json, nullable, pick, text, uuid, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Job } from '../schema/runs.js';
import { BOOT } from '../platform/database/boot-number.js';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { COMBINATION } from './combinations.js';
import { compare } from './grid-rows.js';
import { IS_OPEN, IS_TESTED } from './tested-jobs.js';

const JOB_COLUMNS = columnsOf(Job);
const COLUMN = {
  ...COMBINATION,
  ...pick(JOB_COLUMNS, 'machine', 'path', 'run_id', 'build_id', 'state', 'verdict', 'ended_at'),
  build: json<Omit<GridColumn['build'], 'aliases'>>(),
  run_name: text,
  job_id: uuid,
  attempt_id: nullable(uuid),
  log_lines: nullable(json<GridColumn['logLines']>()),
  busy: nullable(json<NonNullable<GridColumn['busy']>>()),
  boot: nullable(json<BootNumber>()),
  /** Of a job with several. */
  roles: nullable(json<(Omit<TestedRole, 'pair'> & { path: PeerPath })[]>()),
};

export type FoundColumn = RowOf<typeof COLUMN> & { aliases: readonly string[] };

/**
 * Columns of the grid of a run, or of the newest jobs, in their order.
 * @param of the run, or whether the newest jobs of each machine are wanted, and not of all with the same hardware together
 */
export async function readColumns(sql: Queries, of: GridSource): Promise<FoundColumn[]> {
  const found = await sql.rows(COLUMN, columnsSql(of), 'run' in of ? [of.run] : []);
  // A run that names one kernel twice asked for two columns.
  return 'run' in of ? found.map((row) => ({ ...row, aliases: [] })) : foldKernels(found, of.isEachMachine);
}

export type GridSource = { run: string } | { isEachMachine: boolean };

/**
 * Columns of the same kernel, by its build-id, on the same combination (or the same machine) become one: that of the job that ended last, which
 * takes over the other names as aliases; with it stay the other boots of its build. What is not built, or not ended, stays
 * as it is. Pure.
 */
export function foldKernels(found: readonly RowOf<typeof COLUMN>[], isEachMachine = false): FoundColumn[] {
  const groups = new Map<string, RowOf<typeof COLUMN>[]>();
  for (const row of found) {
    const kernel = row.state === 'ended' ? (row.build.buildId ?? row.job_id) : row.job_id;
    const key = `${row.hash} ${kernel} ${isEachMachine ? machinesOf(row) : ''}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const kept = new Map(
    [...groups.values()].flatMap((rows) => {
      const newest = rows.reduce((a, b) => ((b.ended_at ?? NEVER) > (a.ended_at ?? NEVER) ? b : a));
      const names = new Set(rows.map(({ build }) => build.name));
      names.delete(newest.build.name);
      const busy = newest.busy ?? rows.find((row) => row.busy !== null)?.busy ?? null;
      const aliases = [...names].toSorted(compare);
      const isShown = (row: RowOf<typeof COLUMN>): boolean =>
        row === newest || (newest.boot !== null && row.boot !== null && row.build_id === newest.build_id);
      return rows.filter(isShown).map((row): [string, FoundColumn] => [row.job_id, { ...row, busy, aliases }]);
    }),
  );
  return found.flatMap(({ job_id: id }) => kept.get(id) ?? []);
}

const NEVER = new Date(0);

/** What a column shows of a job. */
const JOB = `job.id, run_id, build_id, build_name, position, machine, path, combination, state, verdict, ended_at, round, roles`;

/** The newest job, and its newest attempt, of the pair that stands last in the index of `pair` among those with `isBelow`. */
const lastPair = (pair: string, isBelow: string): string => `
  (select ${JOB}, t.id as attempt_id
   from job cross join lateral (select id from attempt where job_id = job.id order by number desc limit 1) t
   where ${IS_TESTED} and ${isBelow}
   order by ${pair.replaceAll(',', ' desc,')} desc, ended_at desc limit 1)`;

/** Newest jobs of a combination × build name among which those of each set of machines are looked for. */
const ROLE_JOBS_READ = 100;

/** Of the jobs with several roles of a `pair` the newest on each set of machines, with the boots of a run with `repeat`. */
const OF_EACH_SET = `
  select distinct on (machines, round) ${JOB} from (
    select *, (select string_agg(o.machine, ' ' order by o.position) from job_role o where o.job_id = recent.id) as machines
    from job recent where ${IS_TESTED} and combination = pair.combination and build_name = pair.build_name
    order by ended_at desc limit ${ROLE_JOBS_READ}) job
  order by machines, round, ended_at desc`;

const EACH_SET = `
  union all
  select job.*, (select id from attempt where job_id = job.id order by number desc limit 1), open.id
  from (select distinct combination, build_name from newest where roles > 1) pair cross join lateral (${OF_EACH_SET}) job
    left join open on (open.combination, open.build_name) = (pair.combination, pair.build_name)`;

/**
 * The newest job of each combination × build name (× machine) that came to an attempt: hops down along job_newest
 * (job_newest_machine). With each, the job of the pair that has not ended, on that machine where machines are told apart; a
 * pair that has only such a job is represented by it. Of a run with `repeat` also the other boots of the same build. Jobs with
 * several roles are told apart by the machines of all of them.
 */
function newestJobs(isEachMachine: boolean): string {
  const pair = isEachMachine ? 'combination, build_name, machine' : 'combination, build_name';
  const isAny = isEachMachine ? 'combination is not null and machine is not null' : 'combination is not null';
  const below = pair
    .split(', ')
    .map((name) => `newest.${name}`)
    .join(', ');
  const isSameMachine = isEachMachine ? 'and machine = newest.machine and newest.roles = 1' : '';
  return `
  with recursive open as materialized (
    select distinct on (combination, build_name) ${JOB} from job where ${IS_OPEN} and combination is not null
    order by combination, build_name, state = 'running' desc, queued_at desc, position),
  newest as (
    ${lastPair(pair, isAny)}
    union all
    select following.* from newest cross join lateral
      ${lastPair(pair, `${isAny} and (${pair}) < (${below})`)} following)
  select newest.*, open.id as open_id from newest left join open
    on (open.combination, open.build_name) = (newest.combination, newest.build_name)
      ${isEachMachine ? 'and open.machine = newest.machine where newest.roles = 1' : ''}
  union all
  select boot.*, (select id from attempt where job_id = boot.id order by number desc limit 1), null
  from newest cross join lateral (
    select ${JOB} from job where newest.round is not null and round is not null and job.id <> newest.id
      and build_id = newest.build_id and combination = newest.combination and verdict is distinct from 'canceled'
      ${isSameMachine}) boot
  union all
  select open.*, (select id from attempt where job_id = open.id order by number desc limit 1), null from open
  where not exists (select 1 from newest where (combination, build_name) = (open.combination, open.build_name))
  ${isEachMachine ? EACH_SET : ''}`;
}

const JOBS_OF_RUN = `
  select ${JOB}, (select id from attempt where job_id = job.id order by number desc limit 1) as attempt_id,
    null::uuid as open_id
  from job where kind = 'test' and run_id = $1`;

/**
 * Columns of a grid, each with the newest attempt of its job. Builds of one combination are
 * neighbours: in the order of the run, or those without the feature first, so that "before" stands
 * left of "after", and so are those of one machine where machines are told apart. Hundreds of columns share a build, whose manifest is long: it is read once.
 */
export function columnsSql(of: GridSource): string {
  const newest = 'built.features nulls last, j.build_name';
  const order = 'run' in of ? 'built.position' : of.isEachMachine ? `j.machine, ${newest}` : newest;
  return `
    with j as materialized (${'run' in of ? JOBS_OF_RUN : newestJobs(of.isEachMachine)}),
    booted as (select id, build_id from j union select o.job_id, o.build_id from job_role o where o.job_id in (select id from j)),
    built as materialized (
      select b.id, b.position, u.manifest -> 'features' as features,
        jsonb_build_object('id', b.id, 'name', b.name, 'release', u.manifest -> 'release',
          'buildId', u.manifest -> 'buildId', 'features', u.manifest -> 'features',
          'config', u.manifest #> '{config,name}', 'git', ${BUILT_GIT}) as build
      from build b left join bundle u on u.key = b.bundle_key where b.id in (select build_id from booted))
    select c.hash, c.label, c.identity, built.build, j.machine, j.path, j.run_id, r.name as run_name, j.id as job_id,
      j.build_id, j.attempt_id, j.state, j.verdict, j.ended_at,
      -- Of the first participant, which has the id of its attempt.
      (select jsonb_object_agg(s.stream, s.next) from stream s
       where s.participant_id = j.attempt_id and s.stream <> 'events' and s.next > 0) as log_lines,
      ${BOOT} as boot,
      (select jsonb_agg(jsonb_build_object('role', o.role, 'machine', o.machine, 'path', o.path, 'build', other.build)
         order by o.position) from job_role o join built other on other.id = o.build_id where o.job_id = j.id) as roles,
      (select jsonb_build_object('jobId', o.id, 'runId', o.run_id, 'runName', q.name, 'state', o.state)
       from job o join run q on q.id = o.run_id where o.id = j.open_id) as busy
    from j join run r on r.id = j.run_id join combination c on c.hash = j.combination
      join built on built.id = j.build_id
    order by c.label, c.hash, ${order}, j.machine, j.position`;
}

/** A column as the API gives it. `newest`: when its newest result was stored. */
export function gridColumn(row: FoundColumn, newest: Date | undefined): GridColumn {
  return {
    combination: { hash: row.hash, label: row.label, identity: row.identity },
    build: { ...row.build, aliases: [...row.aliases] },
    machine: row.machine,
    pair: pairOf(row.path),
    ...(row.roles === null ? {} : { roles: row.roles.map(({ path, ...role }) => ({ ...role, pair: pairOf(path) })) }),
    runId: row.run_id,
    runName: row.run_name,
    jobId: row.job_id,
    attemptId: row.attempt_id,
    boot: row.boot,
    state: row.state,
    verdict: row.verdict,
    at: newest?.toISOString() ?? null,
    logLines: row.log_lines ?? {},
    busy: row.busy,
  };
}
