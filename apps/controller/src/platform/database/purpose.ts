/**
 * SQL condition: what the job finds is about its kernel; a health check says something of its machine alone. `<>`, which
 * the planner expects to hold for nearly all rows, also before it has statistics. @param job alias, with its dot; empty = none
 */
export const ofKernels = (job = 'j.'): string => `${job}purpose <> 'health'`;
