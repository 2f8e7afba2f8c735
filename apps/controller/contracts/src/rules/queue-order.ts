/** Minutes of waiting that weigh as much as one step of a run's priority (0–100). */
export const AGEING_MINUTES = 2;

const AGEING_MS = AGEING_MINUTES * 60_000;

/** What decides a job's place in the queue. */
export interface QueuedJob {
  id: string;
  /** Of its run, 0–100; the higher one goes first. */
  priority: number;
  /** When it began to wait, milliseconds since 1970. A further attempt keeps it. */
  queuedAtMs: number;
  /** Among the jobs of its run. */
  position: number;
}

/**
 * Priority of a job that has waited until `nowMs`: it rises by one every AGEING_MINUTES, without a limit,
 * so that no stream of more important jobs can keep it waiting for ever.
 */
export function effectivePriority(job: QueuedJob, nowMs: number): number {
  return job.priority + (nowMs - job.queuedAtMs) / AGEING_MS;
}

/**
 * Order in which jobs are taken: by effective priority, then the older one, then by position and id.
 * All jobs age at one pace, so the order of two jobs never changes and can be asked for without a
 * clock: the job goes first whose wait began earlier, each step of priority counting as AGEING_MINUTES.
 * @returns negative when `a` goes first, positive when `b` does; 0 for the same job only
 */
export function compareQueued(a: QueuedJob, b: QueuedJob): number {
  return (
    queueMs(a) - queueMs(b) ||
    a.queuedAtMs - b.queuedAtMs ||
    a.position - b.position ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}

/** When the job would have begun to wait, had its run no priority at all: milliseconds since 1970. */
function queueMs({ priority, queuedAtMs }: QueuedJob): number {
  return queuedAtMs - priority * AGEING_MS;
}

/**
 * Upper bound of the time, in milliseconds, in which later jobs can still be put before a job that
 * waits: whatever comes after that goes behind it, however important it is.
 */
export const OVERTAKEN_AT_MOST_MS = 100 * AGEING_MS;
