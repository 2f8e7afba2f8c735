import { AGEING_MINUTES } from '@peerlab/contracts';

/**
 * The order of contracts' compareQueued in SQL, without `order by`; a test keeps both the same.
 * @param job alias of the table job
 * @param run alias of the table run
 */
export const queueOrder = (job: string, run: string): string => queueKey(job, run).join(', ');

/** Condition: of two jobs `ahead` is the one that is taken first. */
export const goesBefore = (ahead: { job: string; run: string }, behind: { job: string; run: string }): string =>
  `(${queueKey(ahead.job, ahead.run).join(', ')}) < (${queueKey(behind.job, behind.run).join(', ')})`;

const queueKey = (job: string, run: string): string[] => [
  `${job}.queued_at - ${run}.priority * interval '${AGEING_MINUTES} minutes'`,
  `${job}.queued_at`,
  `${job}.position`,
  `${job}.id`,
];
