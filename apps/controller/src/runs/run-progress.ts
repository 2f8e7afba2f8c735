import { FARM_SUITE, type RunProgress } from '@peerlab/contracts';
import { integer, json, nullable, texts, uuid } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { readCandidates, rolesColumn, wishKey, type RoleWish } from './candidates.js';
import { BUILDERS } from './waiting-facts.js';
import { whyStuck } from './waiting.js';

const COUNTED = { id: uuid, running: integer, queued_builds: integer, reported: integer, planned: nullable(integer) };

/**
 * How far runs are that have not ended, by id. How many results a job will have is known as `expectedTests` knows it:
 * from what its suites announced, else from the bundle's manifest, and one for a suite of which neither says anything.
 */
export async function progressOf(
  queries: Queries,
  runIds: readonly string[],
  storageFull: boolean,
): Promise<Map<string, RunProgress>> {
  if (runIds.length === 0) return new Map();
  const counted = await queries.rows(COUNTED, COUNT, [runIds, FARM_SUITE]);
  const idle = counted.filter(({ running }) => running === 0).map(({ id }) => id);
  const obstacles = await obstaclesOf(queries, idle, storageFull, counted);
  return new Map(
    counted.map(({ id, running, reported, planned }) => [
      id,
      { running, reported, planned, obstacle: obstacles.get(id) ?? null },
    ]),
  );
}

/** Jobs of one build and the same suites have the same tests: they are counted together, a manifest is read once. */
const COUNT = `
  with t as (
    select j.id, j.run_id, j.build_id, j.state,
      coalesce(j.suites, array(select jsonb_array_elements_text(r.spec -> 'suites'))) as wanted
    from job j join run r on r.id = j.run_id where j.run_id = any($1) and j.kind = 'test'),
  newest as (
    select distinct on (a.job_id) a.job_id, a.id from attempt a join t on t.id = a.job_id
    where t.state in ('running', 'ended') order by a.job_id, a.number desc),
  reported as (
    select n.job_id, count(*) as n from newest n join result x on x.attempt_id = n.id and x.suite <> $2 group by 1),
  announced as (
    select n.job_id, p.suite, count(*) as n from newest n join t on t.id = n.job_id and t.state = 'running'
      join planned_test p on p.attempt_id = n.id group by 1, 2),
  listed as (
    select b.id as build_id, s ->> 'name' as suite, jsonb_array_length(coalesce(s -> 'tests', '[]')) as n
    from build b join bundle u on u.key = b.bundle_key cross join jsonb_array_elements(u.manifest -> 'suites') s
    where b.id in (select build_id from t where state <> 'ended')),
  groups as (
    select run_id, build_id, wanted, case when state = 'running' then id end as job_id, count(*) as jobs
    from t where state <> 'ended' group by 1, 2, 3, 4),
  expected as (
    select g.run_id, sum(g.jobs * e.n) as n, bool_and(b.bundle_key is not null) as is_known
    from groups g join build b on b.id = g.build_id cross join lateral (
      select coalesce(sum(coalesce(nullif(a.n, 0), nullif(l.n, 0), 1)), 0) as n
      from (select distinct unnest(g.wanted) as suite) w
        left join listed l on l.build_id = g.build_id and l.suite = w.suite
        left join announced a on a.job_id = g.job_id and a.suite = w.suite) e
    group by 1),
  ended as (
    select t.run_id, sum(r.n) as n from t join reported r on r.job_id = t.id where t.state = 'ended' group by 1),
  seen as (select t.run_id, sum(r.n) as n from t join reported r on r.job_id = t.id group by 1)
  select r.id,
    (select count(*) from job j where j.run_id = r.id and j.state = 'running') as running,
    (select count(*) from job j where j.run_id = r.id and j.state = 'queued' and j.kind = 'build') as queued_builds,
    coalesce(s.n, 0)::int as reported,
    case when coalesce(x.is_known, true)
      then greatest(coalesce(x.n, 0) + coalesce(d.n, 0), coalesce(s.n, 0))::int end as planned
  from run r left join seen s on s.run_id = r.id left join expected x on x.run_id = r.id
    left join ended d on d.run_id = r.id
  where r.id = any($1) and r.state <> 'ended'`;

/** Why no job of each run can start without intervention, by run id. */
async function obstaclesOf(
  queries: Queries,
  runIds: readonly string[],
  storageFull: boolean,
  counted: readonly { id: string; queued_builds: number }[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  if (runIds.length === 0) return found;
  const [waiting, row] = await Promise.all([
    queries.rows(
      { run: uuid, roles: json<RoleWish[]>(), same_labels: texts },
      `select distinct j.run_id as run, ${rolesColumn('j')} as roles, j.same_labels
       from job j
       where j.run_id = any($1) and j.state = 'queued' and j.kind = 'test' order by 1, 2`,
      [runIds],
    ),
    queries.one({ builders: integer }, `select ${BUILDERS} as builders`),
  ]);
  const candidates = await readCandidates(
    queries,
    waiting.flatMap(({ roles }) => roles.map(({ wish }) => wish)),
  );
  const builds = new Map(counted.map(({ id, queued_builds }) => [id, queued_builds]));
  for (const id of runIds) {
    const tests = waiting
      .filter(({ run }) => run === id)
      .map(({ roles, same_labels: sameLabels }) => {
        const all = roles.map(({ role, combination, wish }) => ({
          role,
          combination,
          machines: candidates.get(wishKey(wish)) ?? [],
        }));
        const [first] = all;
        const isSole = all.length === 1;
        return {
          combination: first?.combination ?? null,
          machines: isSole ? (first?.machines ?? []) : [],
          roles: isSole ? [] : all,
          sameLabels,
        };
      });
    const why = whyStuck({ tests, builds: builds.get(id) ?? 0, builders: row?.builders ?? 0, storageFull });
    if (why !== null) found.set(id, why);
  }
  return found;
}
