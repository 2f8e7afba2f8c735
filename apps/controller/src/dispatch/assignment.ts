import { effectiveTimeouts, type Assignment } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { readCatalogue } from '../fleet/catalogue.js';
import { columnsOf, integer, json, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Attempt } from '../schema/attempts.js';
import { Build, Bundle } from '../schema/builds.js';
import { Machine } from '../schema/fleet.js';
import { Job, Run } from '../schema/runs.js';
import { buildWork } from '../runs/build-work.js';
import { ownWork } from '../runs/own-suites.js';

const STORED_ASSIGNMENT = {
  ...pick(columnsOf(Attempt), 'id', 'fence', 'nonce', 'machine'),
  ...pick(columnsOf(Job), 'run_id', 'kind', 'path', 'suites'),
  ...pick(columnsOf(Run), 'spec', 'submitter'),
  build: columnsOf(Build).spec,
  /** Null for builds, as all that follows. */
  manifest: nullable(columnsOf(Bundle).manifest),
  sha256: nullable(text),
  size_bytes: nullable(integer),
  forged_fence: columnsOf(Machine).forged_fence,
  providers: json<string[]>(),
};
type StoredAssignment = RowOf<typeof STORED_ASSIGNMENT>;

/** Assignments of open attempts, the oldest first. */
export async function readAssignments(queries: Queries, attemptIds: readonly string[]): Promise<Assignment[]> {
  if (attemptIds.length === 0) return [];
  const rows = await queries.rows(
    STORED_ASSIGNMENT,
    `select t.id, j.run_id, t.fence, t.nonce, j.kind, t.machine, j.path, j.suites, b.spec as build, r.spec, r.submitter, u.manifest, u.sha256,
       a.size_bytes, m.forged_fence,
       coalesce((select jsonb_agg(distinct p.path #> '{provider,address}')
         from machine_path p where p.machine = t.machine), '[]') as providers
     from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
       left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
       left join machine m on m.name = t.machine
     where t.id = any($1) order by t.fence`,
    [attemptIds],
  );
  const { configs } = await readCatalogue(queries);
  const bootFactors = new Map(configs.map(({ name, bootFactor }) => [name, bootFactor]));
  return rows.flatMap((row) => {
    const assignment = assignmentOf(row, bootFactors);
    // Its lease expires; the other assignments of its agent are sent.
    if (assignment === null) log.error({ attempt: row.id }, 'attempt-lacks-machine-or-bundle');
    return assignment === null ? [] : [assignment];
  });
}

/** @param bootFactors by the name of a configuration; 1 where it is not named */
function assignmentOf(row: StoredAssignment, bootFactors: ReadonlyMap<string, number>): Assignment | null {
  const { id: attemptId, run_id: runId, fence, build, spec } = row;
  if (row.kind === 'build') {
    return { attemptId, runId, fence, work: buildWork(build, row.submitter) };
  }
  if (
    row.machine === null ||
    row.path === null ||
    row.manifest === null ||
    row.sha256 === null ||
    row.size_bytes === null
  ) {
    return null;
  }
  const { path } = row;
  const wanted = row.suites ?? spec.suites;
  const suites = [...row.manifest.suites.filter(({ name }) => wanted.includes(name)), ...ownWork(spec, wanted)];
  return {
    attemptId,
    runId,
    fence,
    ...(row.forged_fence === null ? {} : { forgedFence: row.forged_fence }),
    work: {
      kind: 'test',
      machine: row.machine,
      buildName: build.name,
      bundle: { sha256: row.sha256, sizeBytes: row.size_bytes },
      manifest: row.manifest,
      suites,
      path,
      otherProviders: row.providers.filter((address) => address !== path.provider.address),
      nonce: row.nonce,
      timeouts: effectiveTimeouts(spec.timeouts, bootFactors.get(row.manifest.config.name) ?? 1, suites),
    },
  };
}
