import { workerData } from 'node:worker_threads';
import { log } from '@peerlab/runtime';

/** What the main thread passes to its watchdog. */
export interface WatchdogData {
  /** Counter that the main thread increments while its event loop runs. */
  beats: Int32Array;
  /** Longest wait for one beat, in milliseconds. */
  beatMs: number;
  /** Missed beats in a row after which the process is killed. */
  limit: number;
}

/**
 * Counts waits of `beatMs` without a beat instead of measuring time: a process that was stopped or suspended, main
 * thread and all, has missed one beat. Kills by SIGKILL, as a blocked process handles no other signal.
 */
function watch({ beats, beatMs, limit }: WatchdogData): void {
  let missed = 0;
  for (let seen = Atomics.load(beats, 0); ; ) {
    Atomics.wait(beats, 0, seen, beatMs);
    const now = Atomics.load(beats, 0);
    missed = now === seen ? missed + 1 : 0;
    seen = now;
    if (missed < limit) continue;
    try {
      log.fatal({ blockedMs: limit * beatMs }, 'event-loop-blocked');
    } finally {
      process.kill(process.pid, 'SIGKILL');
    }
  }
}

log.setBindings({ program: 'agent' });
watch(workerData as WatchdogData);
