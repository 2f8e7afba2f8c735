import { Worker } from 'node:worker_threads';
import { LEASE_SECONDS } from '@peerlab/contracts';

/**
 * A main thread that shows no sign of life for this long ends the process. Two leases: on a starved computer a
 * blocked event loop recovers after many seconds, and an end before a lease has run out would cost attempts that go
 * on by themselves. After one lease nothing is left to lose, as the controller has taken the machines away; the
 * second one is room for a disk that is slow to sync.
 */
export const WATCHDOG_SECONDS = 2 * LEASE_SECONDS;

const BEAT_MS = 1000;

/**
 * Text of the watching thread. It counts waits of BEAT_MS without a beat one by one, and not time: a process that
 * was stopped or suspended, main thread and all, has waited once. SIGKILL, as nothing else ends a blocked process.
 */
const THREAD = `
const { workerData: { beats, beatMs, limit } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
let missed = 0;
for (let seen = Atomics.load(beats, 0); ; ) {
  Atomics.wait(beats, 0, seen, beatMs);
  const now = Atomics.load(beats, 0);
  missed = now === seen ? missed + 1 : 0;
  seen = now;
  if (missed < limit) continue;
  const problem = 'the event loop was blocked for ' + Math.round(limit * beatMs / 1000) + ' s';
  try {
    writeSync(2, JSON.stringify({ at: new Date().toISOString(), level: 'error', event: 'watchdog', problem }) + '\\n');
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}`;

/**
 * Starts the watchdog of this process: when its event loop is blocked for `seconds`, the process ends by SIGKILL, its
 * supervisor starts it again, and the next start restores the machines. Returns a function that stops it.
 */
export function startWatchdog(seconds = WATCHDOG_SECONDS): () => void {
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const limit = Math.max(1, Math.ceil((seconds * 1000) / BEAT_MS));
  // Options of the main thread, as for modules or preloading, are not for the text above.
  const thread = new Worker(THREAD, { eval: true, execArgv: [], workerData: { beats, beatMs: BEAT_MS, limit } });
  // Without the watchdog the agent works as well.
  thread.on('error', (error) => process.stderr.write(`the watchdog could not run: ${error.message}\n`));
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
