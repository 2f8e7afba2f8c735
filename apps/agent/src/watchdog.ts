import { Worker } from 'node:worker_threads';
import { LEASE_SECONDS } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { WatchdogData } from './watchdog-thread.js';

/**
 * Seconds for which the event loop may be blocked before the process is killed. Two leases: on a starved computer a
 * blocked event loop recovers after many seconds, and killing it before a lease has run out would cost attempts that
 * can still continue. After one lease the controller has revoked the machines anyway; the second one is room for a
 * disk that is slow to sync.
 */
export const WATCHDOG_SECONDS = 2 * LEASE_SECONDS;

const BEAT_MS = 1000;

/**
 * Starts the watchdog of this process, a thread of its own: when the event loop is blocked for `seconds`, the thread
 * kills the process, its supervisor starts it again, and the next start restores the machines.
 * @returns a function that stops the watchdog
 */
export function startWatchdog(seconds = WATCHDOG_SECONDS): () => void {
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const limit = Math.max(1, Math.ceil((seconds * 1000) / BEAT_MS));
  const workerData: WatchdogData = { beats, beatMs: BEAT_MS, limit };
  // Options of the main thread, such as loaders and preloaded modules, are not for this thread.
  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), { execArgv: [], workerData });
  // The agent also works without a watchdog.
  thread.on('error', (err) => log.error({ err }, 'watchdog-failed'));
  thread.unref();
  const timer = setInterval(() => {
    Atomics.add(beats, 0, 1);
    Atomics.notify(beats, 0);
  }, BEAT_MS / 2);
  timer.unref();
  return () => {
    clearInterval(timer);
    void thread.terminate();
  };
}
