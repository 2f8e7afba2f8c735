import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { WatchdogOrder } from './watchdog.js';

const { beats, beatMs, looks } = workerData as WatchdogOrder;
/** Nothing ever wakes it: a wait for it is a pause. */
const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
let seen = -1;
let still = 0;
for (;;) {
  Atomics.wait(never, 0, 0, beatMs);
  const now = Atomics.load(beats, 0);
  still = now === seen ? still + 1 : 0;
  seen = now;
  if (still < looks) continue;
  // Not by the logger: its stream belongs to the thread that is stuck.
  const line = {
    level: 'error',
    time: new Date().toISOString(),
    stuckSeconds: (looks * beatMs) / 1000,
    event: 'event-loop-stuck',
  };
  writeSync(2, `${JSON.stringify(line)}\n`);
  process.kill(process.pid, 'SIGKILL');
}
