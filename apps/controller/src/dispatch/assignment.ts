import {
  effectiveTimeouts,
  type Assignment,
  type BuildSpec,
  type BundleManifest,
  type PeerPath,
  type RunSpec,
} from '@peerlab/contracts';
import type { Queries } from '../platform/database/sql.js';
import { writeLog } from '../platform/logging.js';
import { buildWork } from '../runs/build-work.js';

/** Assignments of open attempts, the oldest first. */
export async function readAssignments(queries: Queries, attemptIds: readonly string[]): Promise<Assignment[]> {
  if (attemptIds.length === 0) return [];
  const rows = await queries.rows<AssignmentRow>(
    `select t.id, j.run_id, t.fence, t.nonce, j.kind, t.machine, j.path, j.suites, b.spec as build, r.spec, r.submitter, u.manifest, u.sha256,
       a.size_bytes, m.forged_fence
     from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
       left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
       left join machine m on m.name = t.machine
     where t.id = any($1) order by t.fence`,
    [attemptIds],
  );
  return rows.flatMap((row) => {
    const assignment = assignmentOf(row);
    // Its lease runs out; the others of its agent do not wait for it.
    if (assignment === null) writeLog('error', 'attempt-lacks-machine-or-bundle', { attempt: row.id });
    return assignment === null ? [] : [assignment];
  });
}

interface AssignmentRow {
  id: string;
  run_id: string;
  fence: number;
  nonce: string;
  kind: 'build' | 'test';
  machine: string | null;
  path: PeerPath | null;
  suites: string[] | null;
  build: BuildSpec;
  spec: RunSpec;
  submitter: string | null;
  manifest: BundleManifest | null;
  sha256: string | null;
  size_bytes: number;
  forged_fence: number | null;
}

function assignmentOf(row: AssignmentRow): Assignment | null {
  const { id: attemptId, run_id: runId, fence, build, spec } = row;
  if (row.kind === 'build') {
    return { attemptId, runId, fence, work: buildWork(build, row.submitter) };
  }
  if (row.machine === null || row.path === null || row.manifest === null || row.sha256 === null) {
    return null;
  }
  const wanted = row.suites ?? spec.suites;
  const suites = row.manifest.suites.filter(({ name }) => wanted.includes(name));
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
      path: row.path,
      nonce: row.nonce,
      timeouts: effectiveTimeouts(spec.timeouts, row.manifest.config.name, suites),
    },
  };
}
