import { Injectable } from '@nestjs/common';
import { SUSPECTS_MAX, VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import { ofKernels } from '../platform/database/purpose.js';
import { columnsOf, pick, uuid, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { SuspectAttemptRow } from '../schema/health.js';

const MARKED = { attempt_id: uuid, run_id: uuid };
const WAITING = { ...pick(columnsOf(SuspectAttemptRow), 'attempt_id', 'machine'), job_id: uuid };
export type WaitingSuspect = RowOf<typeof WAITING>;

/** Verdicts of jobs that say something of a kernel, as an array of SQL. */
const SAID = `'{${VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].conclusive).join(',')}}'::text[]`;
/** Jobs that one pass submits again. */
const BATCH = 20;

/** Writes which attempts are suspect. */
@Injectable()
export class SuspectStore {
  /**
   * All tests on the machine since it passed last are suspect, those that run now too; the newest SUSPECTS_MAX of them. The
   * newest `requeue` that said something and may run elsewhere are to be submitted again.
   * @returns the runs that they belong to
   */
  async mark(
    tx: Queries,
    { machine, number, goodAt, requeue }: { machine: string; number: number; goodAt: Date | null; requeue: number },
  ): Promise<string[]> {
    const rows = await tx.rows(
      MARKED,
      `with suspect as (
         select t.id as attempt_id, j.run_id, p.started_at,
           t.state = 'ended' and j.state = 'ended' and j.verdict = any(${SAID})
             and not exists (select 1 from job_part o where o.job_id = j.id and o.only_machine = $1)
             and not exists (select 1 from attempt later where later.job_id = j.id and later.number > t.number) as is_worth
         from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
         where p.machine = $1 and j.kind = 'test' and ${ofKernels()} and p.started_at > coalesce($3, '-infinity'::timestamptz)
         order by p.started_at desc limit ${SUSPECTS_MAX}),
       marked as (
         insert into suspect_attempt (attempt_id, machine, check_number, good_at, requeue)
         select attempt_id, $1, $2, $3, is_worth and row_number() over (partition by is_worth order by started_at desc) <= $4
         from suspect on conflict do nothing returning attempt_id)
       select m.attempt_id, s.run_id from marked m join suspect s using (attempt_id)`,
      [machine, number, goodAt, requeue],
    );
    return [...new Set(rows.map(({ run_id: runId }) => runId))];
  }

  /** Suspect attempts whose jobs are to be submitted again, the oldest first. */
  waiting(queries: Queries): Promise<WaitingSuspect[]> {
    return queries.rows(
      WAITING,
      `select s.attempt_id, s.machine, t.job_id from suspect_attempt s join attempt t on t.id = s.attempt_id
       where s.requeue order by s.at, s.attempt_id limit ${BATCH}`,
    );
  }

  /** @param runId the run that does its job again; null = none can */
  async setRequeued(
    queries: Queries,
    { attempt_id: attemptId, machine }: WaitingSuspect,
    runId: string | null,
  ): Promise<void> {
    await queries.run(
      'update suspect_attempt set requeue = false, requeued_run = $3 where attempt_id = $1 and machine = $2',
      [attemptId, machine, runId],
    );
  }

  /** Retention removes the attempts. */
  async remove(tx: Queries, attempts: readonly string[]): Promise<void> {
    await tx.run('delete from suspect_attempt where attempt_id = any($1)', [attempts]);
  }
}
