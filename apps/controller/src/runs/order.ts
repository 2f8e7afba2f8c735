import { AGEING_MINUTES } from '@peerlab/contracts';

/** SQL: `job.queue_at`, by the rule of contracts' compareQueued; a test keeps both the same. */
export const queueAt = (queuedAt: string, priority: string): string =>
  `${queuedAt} - ${priority} * interval '${AGEING_MINUTES} minutes'`;

/**
 * The order of contracts' compareQueued in SQL, without `order by`: that of the index job_line.
 * @param job alias of the table job
 */
export const queueOrder = (job: string): string =>
  [`${job}.queue_at`, `${job}.queued_at`, `${job}.position`, `${job}.id`].join(', ');

/** Condition: of two jobs `ahead` is the one that is taken first. */
export const goesBefore = (ahead: string, behind: string): string => `(${queueOrder(ahead)}) < (${queueOrder(behind)})`;

/** Condition: the job `j` of the run `r` may be taken now, as far as it depends on them. */
export const DUE = `j.state = 'queued' and (j.not_before is null or j.not_before <= clock_timestamp()) and not r.cancel_requested`;
/**
 * The turn of a job of a run with `repeat`: everything of its lane that stands before it has ended. A build that is ready
 * early does not run all its boots before the others are built.
 */
export const ITS_TURN = `(j.round is null or not exists (
  select 1 from job e where e.run_id = j.run_id and e.lane = j.lane and e.position < j.position
    and e.round is not null and e.state <> 'ended'))`;
