import { readFileSync } from 'node:fs';

/** A process, told from a later one that has the same id. */
export interface ProcessIdentity {
  pid: number;
  /** `startTimeOf` the process when it was started. */
  startTime: string;
}

/**
 * Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); null when there is no such process,
 * or when it has ended and only waits to be reaped.
 * @throws Error when /proc cannot be read: then the process may be there
 */
export function startTimeOf(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
  // The name in parentheses may hold anything, so fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

/** Whether it is still that process which has the id. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}
