/**
 * Ended test jobs that count: the predicate of the indexes job_newest and job_ended. A canceled job was ended by a
 * person and never stands for its kernel.
 */
export const IS_TESTED = `state = 'ended' and kind = 'test' and verdict <> 'canceled'`;
