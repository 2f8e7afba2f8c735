import { columnsOf, integer, nullable, text, time, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Run } from '../schema/runs.js';
import type { Candidate } from './plan.js';

const RUN = columnsOf(Run);
const RUN_CANDIDATE = {
  subject: RUN.id,
  name: RUN.name,
  trigger: RUN.trigger_kind,
  /** An ended run has this time. */
  last_used_at: time,
  lines: integer,
  bytes: integer,
};
const ARTIFACT_CANDIDATE = {
  subject: text,
  name: text,
  trigger: nullable(text),
  last_used_at: time,
  lines: integer,
  bytes: integer,
};

type CandidateRow = RowOf<typeof RUN_CANDIDATE> | RowOf<typeof ARTIFACT_CANDIDATE>;

/** All that may be removed: nothing of a run that is pinned or has not ended, and no artifact that such a run uses. */
export async function readCandidates(queries: Queries): Promise<Candidate[]> {
  const [logs, runs, artifacts] = [await logsOf(queries), await endedRuns(queries), await unusedArtifacts(queries)];
  const candidates = (kind: Candidate['kind'], rows: readonly CandidateRow[]): Candidate[] =>
    rows.map(({ last_used_at: lastUsedAt, ...row }) => ({ kind, ...row, lastUsedAt }));
  return [...candidates('logs', logs), ...candidates('run', runs), ...candidates('artifact', artifacts)];
}

const FREE = `r.state = 'ended' and not exists (select 1 from run_pin p where p.run_id = r.id)`;

function logsOf(queries: Queries): Promise<CandidateRow[]> {
  return queries.rows(
    RUN_CANDIDATE,
    `select r.id as subject, r.name, r.trigger_kind as trigger, r.ended_at as last_used_at,
       sum(s.next)::bigint as lines, sum(s.bytes)::bigint as bytes
     from run r join job j on j.run_id = r.id join attempt t on t.job_id = j.id
       join participant p on p.attempt_id = t.id join stream s on s.participant_id = p.id
     where ${FREE} and s.bytes > 0 group by r.id`,
  );
}

function endedRuns(queries: Queries): Promise<CandidateRow[]> {
  return queries.rows(
    RUN_CANDIDATE,
    `select r.id as subject, r.name, r.trigger_kind as trigger, r.ended_at as last_used_at,
       coalesce(sum(s.next) filter (where s.bytes > 0), 0)::bigint as lines, coalesce(sum(s.bytes), 0)::bigint as bytes
     from run r left join job j on j.run_id = r.id left join attempt t on t.job_id = j.id
       left join participant p on p.attempt_id = t.id left join stream s on s.participant_id = p.id
     where ${FREE} group by r.id`,
  );
}

/** Runs that use an artifact: it is the bundle or a driver of a build, contains its series, its source or its configuration, is a file of one of its suites, or was left by one. */
const FILE_USES = `select u.sha256, b.run_id from bundle u join build b on b.bundle_key = u.key
  union
  select d #>> '{archive,sha256}', b.run_id from build b, jsonb_array_elements(b.drivers) d
  where d -> 'archive' <> 'null'
  union
  select e ->> 'artifact', b.run_id from build b, jsonb_array_elements(
    case when jsonb_typeof(b.spec -> 'series') = 'array' then b.spec -> 'series' else '[]' end) e
  where jsonb_typeof(e) = 'object' and e ? 'artifact'
  union
  select b.spec ->> 'tarball', b.run_id from build b where b.spec ? 'tarball'
  union
  select b.spec ->> 'configFile', b.run_id from build b where b.spec ? 'configFile'
  union
  select f ->> 'artifact', r.id from run r, jsonb_array_elements(coalesce(r.spec -> 'ownSuites', '[]')) s,
    jsonb_array_elements(coalesce(s -> 'files', '[]')) f
  union
  select f.sha256, j.run_id from attempt_file f join attempt t on t.id = f.attempt_id join job j on j.id = t.job_id`;

/** The same, and builds whose bundle contains a patch whose text is the artifact. */
export const ARTIFACT_USES = `${FILE_USES}
  union
  select p ->> 'sha256', b.run_id from bundle u join build b on b.bundle_key = u.key,
    jsonb_array_elements(u.manifest -> 'series') p`;

/** Many builds share a bundle and many bundles share a patch: patches are joined by bundle, not by build. */
function unusedArtifacts(queries: Queries): Promise<CandidateRow[]> {
  return queries.rows(
    ARTIFACT_CANDIDATE,
    `with used as (${FILE_USES}),
       by_bundle as (
         select b.bundle_key as key, max(r.ended_at) as last, bool_and(${FREE}) as free
         from build b join run r on r.id = b.run_id where b.bundle_key is not null group by 1),
       by_patch as (
         select p ->> 'sha256' as sha256, max(k.last) as last, bool_and(k.free) as free
         from by_bundle k join bundle u on u.key = k.key, jsonb_array_elements(u.manifest -> 'series') p group by 1),
       driver as (
         select d #>> '{archive,sha256}' as sha256, max(d ->> 'name') as name
         from build b, jsonb_array_elements(b.drivers) d where d -> 'archive' <> 'null' group by 1)
     select a.sha256 as subject, null as trigger, 0 as lines, a.size_bytes as bytes,
       coalesce((select 'bundle ' || (u.manifest ->> 'release') from bundle u where u.sha256 = a.sha256 limit 1),
         'driver ' || max(driver.name), case when count(p.sha256) > 0 then 'patch' else 'upload' end) as name,
       greatest(a.created_at, max(r.ended_at), max(p.last)) as last_used_at
     from artifact a left join used on used.sha256 = a.sha256 left join run r on r.id = used.run_id
       left join by_patch p on p.sha256 = a.sha256
       left join driver on driver.sha256 = a.sha256
     where a.removed_at is null group by a.sha256
     having coalesce(bool_and(${FREE}) filter (where r.id is not null), true) and coalesce(bool_and(p.free), true)`,
  );
}
