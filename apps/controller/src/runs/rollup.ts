import { worstVerdict, type RunState, type Verdict } from '@peerlab/contracts';
import { announce, type BusMessage } from '../platform/database/bus.js';
import { bool, columnsOf, integer, pick, word } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Job } from '../schema/runs.js';

/**
 * Sums a run up from its jobs and the results of their newest attempts. To be called last in every
 * transaction that changes one of them: it locks the run, and runs are locked after everything else.
 */
export async function rollUpRun(tx: Queries, runId: string): Promise<RunState> {
  await tx.run('select 1 from run where id = $1 for update', [runId]);
  const results = await tx.rows(
    { verdict: word<Verdict>(), count: integer },
    `select r.verdict, count(*) as count from result r
     join (select distinct on (t.job_id) t.id from attempt t join job j on j.id = t.job_id
           where j.run_id = $1 and j.kind = 'test' order by t.job_id, t.number desc) newest on newest.id = r.attempt_id
     group by r.verdict`,
    [runId],
  );
  // A job without any result counts once, by its own verdict.
  const jobs = await tx.rows(
    { ...pick(columnsOf(Job), 'kind', 'state', 'verdict'), bare: bool },
    `select j.kind, j.state, j.verdict, not exists (
       select 1 from attempt t join result r on r.attempt_id = t.id where t.job_id = j.id) as bare
     from job j where j.run_id = $1`,
    [runId],
  );
  const counts: Partial<Record<Verdict, number>> = {};
  const add = (verdict: Verdict, count: number): void => {
    counts[verdict] = (counts[verdict] ?? 0) + count;
  };
  for (const { verdict, count } of results) add(verdict, count);
  for (const job of jobs) if (job.kind === 'test' && job.bare && job.verdict !== null) add(job.verdict, 1);
  const ended = jobs.filter((job) => job.state === 'ended').length;
  const started = jobs.some((job) => job.state === 'running' || job.state === 'ended');
  const state: RunState = ended === jobs.length ? 'ended' : started ? 'running' : 'queued';
  // A build that passed says nothing yet about the kernel under test.
  const judged = jobs.filter((job) => job.kind === 'test' || job.verdict !== 'pass');
  const verdict = worstVerdict([
    ...(Object.keys(counts) as Verdict[]),
    ...judged.flatMap((job) => (job.verdict === null ? [] : [job.verdict])),
  ]);
  await tx.run(
    `update run set verdict = $2, counts = $3, jobs_ended = $4,
       state = case when state = 'running' and $5 = 'queued' then state else $5 end,
       started_at = coalesce(started_at, case when $5 <> 'queued' then clock_timestamp() end),
       ended_at = case when $5 = 'ended' then coalesce(ended_at, clock_timestamp()) end
     where id = $1`,
    [runId, verdict, JSON.stringify(counts), ended, state],
  );
  await announce(tx, runChanged(runId));
  return state;
}

/** Tells browsers that a run is not as it was. */
export const runChanged = (runId: string): BusMessage => ({
  type: 'changed',
  topics: [`run:${runId}`, 'runs', 'grid'],
});
