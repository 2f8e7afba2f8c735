import { effectiveTimeouts, mutantBudget, type Assignment, type Peer } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { readCatalogue } from '../fleet/catalogue.js';
import { columnsOf, integer, json, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { prepared, type Queries } from '../platform/database/sql.js';
import { Participant } from '../schema/attempts.js';
import { Build, Bundle } from '../schema/builds.js';
import { Machine } from '../schema/fleet.js';
import { Job, Run } from '../schema/runs.js';
import { buildWork } from '../runs/build-work.js';
import { ownWork } from '../runs/own-suites.js';

const STORED_ASSIGNMENT = {
  ...pick(columnsOf(Participant), 'id', 'attempt_id', 'role', 'fence', 'nonce', 'machine'),
  peers: json<Peer[]>(),
  ...pick(columnsOf(Job), 'run_id', 'kind', 'path', 'suites'),
  ...pick(columnsOf(Run), 'spec', 'submitter'),
  build: columnsOf(Build).spec,
  commit: columnsOf(Build).commit,
  drivers: columnsOf(Build).drivers,
  /** Null for builds, as all that follows. */
  manifest: nullable(columnsOf(Bundle).manifest),
  sha256: nullable(text),
  size_bytes: nullable(integer),
  forged_fence: columnsOf(Machine).forged_fence,
  providers: json<string[]>(),
};
/** For the mutant that is tried when its minutes are over: a test, and two boots. */
const MUTANT_END_SECONDS = 900;

type StoredAssignment = RowOf<typeof STORED_ASSIGNMENT>;

const ASSIGNMENTS = prepared(
  `select p.id, p.attempt_id, p.role, j.run_id, p.fence, p.nonce, j.kind, p.machine, part.path, part.suites,
     b.spec as build, b.commit, b.drivers, r.spec, r.submitter, u.manifest, u.sha256, a.size_bytes, m.forged_fence,
     coalesce((select jsonb_agg(jsonb_build_object('role', o.role, 'machine', o.machine, 'build', other.build_name)
                 order by o.position)
               from participant o join job_part other on other.job_id = j.id and other.position = o.position
               where o.attempt_id = p.attempt_id and o.id <> p.id), '[]') as peers,
     coalesce((select jsonb_agg(distinct h.path #> '{provider,address}')
               from machine_path h where h.machine = p.machine), '[]') as providers
   from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
     join job_part part on part.job_id = j.id and part.position = p.position
     join run r on r.id = j.run_id join build b on b.id = part.build_id
     left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
     left join machine m on m.name = p.machine
   where p.id = any($1) order by p.fence`,
);

/** Assignments of open participants, the oldest first. */
export async function readAssignments(queries: Queries, participantIds: readonly string[]): Promise<Assignment[]> {
  if (participantIds.length === 0) return [];
  const [rows, { configs }] = await Promise.all([
    queries.rows(STORED_ASSIGNMENT, ASSIGNMENTS, [participantIds]),
    readCatalogue(queries),
  ]);
  const bootFactors = new Map(
    configs.flatMap(({ name, bootFactor, builtAs = name }) => [
      [builtAs, bootFactor] as const,
      [name, bootFactor] as const,
    ]),
  );
  return rows.flatMap((row) => {
    const assignment = assignmentOf(row, bootFactors);
    // Its lease expires; the other assignments of its agent are sent.
    if (assignment === null) log.error({ participant: row.id }, 'participant-lacks-machine-or-bundle');
    return assignment === null ? [] : [assignment];
  });
}

/** @param bootFactors by the name of a configuration, its own and that in manifests; 1 where it is not named */
function assignmentOf(row: StoredAssignment, bootFactors: ReadonlyMap<string, number>): Assignment | null {
  const { fence, build, spec, role, peers } = row;
  const place = { participantId: row.id, attemptId: row.attempt_id, runId: row.run_id, role, peers, fence };
  if (row.kind === 'build') return { ...place, work: buildWork(build, row.submitter, row.commit) };
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
  const minutes = build.mutants === undefined ? null : mutantBudget(build.mutants).minutes;
  const wanted = row.suites ?? spec.suites;
  const suites = [...row.manifest.suites.filter(({ name }) => wanted.includes(name)), ...ownWork(spec, wanted)];
  return {
    ...place,
    ...(row.forged_fence === null ? {} : { forgedFence: row.forged_fence }),
    work: {
      kind: 'test',
      machine: row.machine,
      buildName: build.name,
      bundle: { sha256: row.sha256, sizeBytes: row.size_bytes },
      manifest: row.manifest,
      ...(row.drivers.length === 0 ? {} : { drivers: row.drivers }),
      suites,
      path,
      otherProviders: row.providers.filter((address) => address !== path.provider.address),
      nonce: row.nonce,
      timeouts: effectiveTimeouts(spec.timeouts, bootFactors.get(build.config ?? row.manifest.config.name) ?? 1, [
        ...suites,
        ...(minutes === null ? [] : [{ timeoutSeconds: minutes * 60 + MUTANT_END_SECONDS }]),
      ]),
      ...(minutes === null ? {} : { mutants: { minutes } }),
    },
  };
}
