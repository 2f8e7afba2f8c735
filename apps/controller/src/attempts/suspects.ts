import type { SuspectAttempt } from '@peerlab/contracts';
import { columnsOf, nullable, pick, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { HealthCheckRow, SuspectAttemptRow } from '../schema/health.js';

const SUSPECT = {
  ...pick(columnsOf(SuspectAttemptRow), 'attempt_id', 'machine', 'at', 'good_at', 'requeued_run'),
  reason: nullable(text),
  run_id: nullable(columnsOf(HealthCheckRow).run_id),
};

/** The suspect ones among the attempts of a run, or of one attempt, by attempt and machine. */
export async function readSuspects(
  queries: Queries,
  of: { runId: string } | { attemptId: string },
): Promise<SuspectAttempt[]> {
  const [condition, id] =
    'runId' in of
      ? ['s.attempt_id in (select t.id from job j join attempt t on t.job_id = j.id where j.run_id = $1)', of.runId]
      : ['s.attempt_id = $1', of.attemptId];
  const rows = await queries.rows(
    SUSPECT,
    `select s.attempt_id, s.machine, s.at, s.good_at, s.requeued_run, h.detail as reason, h.run_id
     from suspect_attempt s left join health_check h on h.machine = s.machine and h.number = s.check_number
     where ${condition} order by s.attempt_id, s.machine`,
    [id],
  );
  return rows.map((row) => ({
    attemptId: row.attempt_id,
    machine: row.machine,
    reason: row.reason ?? 'its health check failed',
    at: row.at.toISOString(),
    goodAt: row.good_at?.toISOString() ?? null,
    checkRun: row.run_id,
    requeuedAs: row.requeued_run,
  }));
}
