import type { CrashSighting, FailureSighting } from '@peerlab/contracts';
import { columnsOf, pick, text, time, uuid, type RowOf } from '../platform/database/row-shape.js';
import { Participant } from '../schema/attempts.js';
import { CrashRow } from '../schema/crashes.js';
import { Run } from '../schema/runs.js';

const CRASH = columnsOf(CrashRow);

/** Where a row of `crash c` belongs; the statements of this room read no crash without it. */
export const SEEN = `crash c join participant p on p.id = c.participant_id join attempt t on t.id = p.attempt_id
  join job j on j.id = t.job_id join job_part part on part.job_id = j.id and part.role = p.role
  join run r on r.id = j.run_id join build b on b.id = part.build_id
  left join bundle u on u.key = b.bundle_key`;

/** A kernel is its build-id; a build without one stands for itself. */
export const KERNEL_KEY = `coalesce(u.manifest ->> 'buildId', b.id::text)`;

export const SIGHTING = {
  ...pick(columnsOf(Participant), 'machine', 'role'),
  ...pick(CRASH, 'key', 'stream', 'start_line', 'end_line', 'times', 'corrupted', 'suite', 'test'),
  /** By the clock of the database, as those of agents differ. */
  at: time,
  participant_id: uuid,
  attempt_id: uuid,
  build: text,
  build_uuid: uuid,
  run_id: columnsOf(Run).id,
  run_name: columnsOf(Run).name,
};
export type SightingRow = RowOf<typeof SIGHTING>;

export const SIGHTING_COLUMNS = `p.machine, p.role, coalesce(t.ended_at, t.started_at) as at, c.key, c.stream, c.start_line, c.end_line, c.times, c.corrupted,
  c.suite, c.test, c.participant_id, t.id as attempt_id, b.name as build, b.id as build_uuid, r.id as run_id,
  r.name as run_name`;

/** When and where, without the lines. */
export function sightingOf(
  row: Pick<SightingRow, 'at' | 'attempt_id' | 'machine' | 'build' | 'run_id' | 'run_name'>,
): FailureSighting {
  return {
    at: row.at.toISOString(),
    attemptId: row.attempt_id,
    machine: row.machine,
    build: row.build,
    run: { id: row.run_id, name: row.run_name },
  };
}

export function crashSightingOf(row: SightingRow): CrashSighting {
  return {
    ...sightingOf(row),
    buildId: row.build_uuid,
    role: row.role,
    stream: row.stream,
    startLine: row.start_line,
    endLine: row.end_line,
    times: row.times,
    corrupted: row.corrupted,
    suite: row.suite,
    test: row.test,
  };
}
