import { Injectable } from '@nestjs/common';
import type { Verdict } from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import type { Queries } from '../platform/database/sql.js';
import { rollUpRun } from './rollup.js';

/** Pause before a further attempt grows with their number; what broke needs a moment. */
export const RETRY_PAUSE_SECONDS = 2;

export interface JobRow {
  id: string;
  run_id: string;
  build_id: string;
  kind: 'build' | 'test';
  state: string;
  cancel_requested: boolean;
}

/** The moves of a job; callers hold the attempt's lock already. */
@Injectable()
export class JobService {
  /** Locks a job; null when there is none. */
  lock(tx: Queries, id: string): Promise<JobRow | null> {
    return tx.one<JobRow>(
      `select j.id, j.run_id, j.build_id, j.kind, j.state, r.cancel_requested
       from job j join run r on r.id = j.run_id where j.id = $1 for update of j`,
      [id],
    );
  }

  /** Locks all jobs of a run. */
  async lockOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('select 1 from job where run_id = $1 order by id for update', [runId]);
  }

  /** queued → running. */
  async start(tx: Queries, id: string): Promise<void> {
    await tx.run(`update job set state = 'running', not_before = null where id = $1`, [id]);
  }

  /** running → queued, keeping its age in the queue. */
  async requeue(tx: Queries, job: JobRow, attemptNumber: number): Promise<void> {
    await tx.run(
      `update job set state = 'queued', verdict = null,
         not_before = clock_timestamp() + make_interval(secs => $2) where id = $1`,
      [job.id, RETRY_PAUSE_SECONDS * attemptNumber],
    );
    await announce(tx, { type: 'dispatch' });
    await rollUpRun(tx, job.run_id);
  }

  /** Ends a job with its verdict. `note` says why when no attempt was made. */
  async end(tx: Queries, job: JobRow, verdict: Verdict, note: string | null = null): Promise<void> {
    await tx.run(
      `update job set state = 'ended', verdict = $2, note = $3, ended_at = clock_timestamp() where id = $1`,
      [job.id, verdict, note],
    );
    await rollUpRun(tx, job.run_id);
  }

  /** Lets the test jobs of a build that is ready into the queue. */
  async unblock(tx: Queries, buildId: string): Promise<void> {
    await tx.run(`update job set state = 'queued' where build_id = $1 and kind = 'test' and state = 'blocked'`, [
      buildId,
    ]);
    await announce(tx, { type: 'dispatch' });
  }

  /** Ends the test jobs of a build that will not come. */
  async abandon(tx: Queries, buildId: string, verdict: Verdict, note: string): Promise<void> {
    await tx.run(
      `update job set state = 'ended', verdict = $2, note = $3, ended_at = clock_timestamp()
       where build_id = $1 and kind = 'test' and state = 'blocked'`,
      [buildId, verdict, note],
    );
  }

  /** Removes the jobs of a run whose attempts are gone already. */
  async removeOfRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('delete from job where run_id = $1', [runId]);
  }
}
