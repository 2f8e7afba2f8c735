import { ofKernels } from '../platform/database/purpose.js';

/**
 * Ended test jobs that count: the predicate of the indexes job_newest and job_ended. A canceled job was ended by a
 * person and never stands for its kernel.
 */
export const IS_TESTED = `state = 'ended' and kind = 'test' and verdict <> 'canceled' and ${ofKernels('')}`;

/** Test jobs that have not ended: the predicate of the index job_open. */
export const IS_OPEN = `state <> 'ended' and kind = 'test' and ${ofKernels('')}`;
