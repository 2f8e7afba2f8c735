import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';
import { log } from '@peerlab/runtime';

/** Between two signs of life of the event loop, and between two looks at them, in milliseconds. */
const BEAT_MS = 1000;

/** What the worker thread is given. */
export interface WatchdogOrder {
  /** Counts the signs of life; shared memory. */
  beats: Int32Array;
  beatMs: number;
  /** So many looks in a row without a new sign of life end the process. */
  looks: number;
}

/**
 * Ends this process with SIGKILL when its event loop stands still for `limitSeconds`, so that its supervisor
 * starts it again: nothing else would, as it answers no request and no heartbeat but keeps its port and its
 * connections. All state is in Postgres. A thread of its own looks, and counts its own looks instead of the time:
 * a process that was stopped or a computer that slept is no stuck one. 0 seconds, or a debugger, switch it off.
 */
export function startWatchdog(limitSeconds: number): void {
  if (limitSeconds === 0 || inspectorUrl() !== undefined) return;
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS).unref();
  const order: WatchdogOrder = { beats, beatMs: BEAT_MS, looks: Math.ceil((limitSeconds * 1000) / BEAT_MS) };
  const worker = new Worker(new URL('./watchdog-worker.js', import.meta.url), { workerData: order });
  worker.on('error', (err) => log.error({ err }, 'watchdog-failed'));
  worker.unref();
}
