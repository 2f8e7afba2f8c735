/**
 * Loaded before a program of the farm (`node --import`): gives the process the farm's virtual time
 * with its own drift and offset, and lets its disk be full. The program itself is unchanged.
 */
import { existsSync, readFileSync } from 'node:fs';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import promises from 'node:timers/promises';
import { AFFLICTION_VARIABLE, type Affliction, CLOCK_VARIABLE, type ProcessClock } from './virtual-time.js';

const clock = JSON.parse(process.env[CLOCK_VARIABLE] ?? '{}') as ProcessClock;
const afflictionFile = process.env[AFFLICTION_VARIABLE];
let affliction: Affliction = { wallOffsetMs: 0, diskFull: false };
/** Half of what is written first after the disk filled up still fits, as on a real one. */
let fitsHalf = false;

const LOOK_EVERY_MS = 20;

function readAffliction(): void {
  if (afflictionFile === undefined || !existsSync(afflictionFile)) return;
  const before = affliction;
  affliction = JSON.parse(readFileSync(afflictionFile, 'utf8')) as Affliction;
  if (affliction.diskFull && !before.diskFull) fitsHalf = true;
}
readAffliction();
setInterval(readAffliction, LOOK_EVERY_MS).unref();

const rate = clock.rate * clock.drift;
const shorter = (ms: number | undefined): number => (ms ?? 0) / rate;

const { setTimeout: realTimeout, setInterval: realInterval } = globalThis;
const realNow = Date.now;
const realMonotonic = performance.now.bind(performance);
const realNanoseconds = process.hrtime.bigint.bind(process.hrtime);
const realPause = promises.setTimeout;
const realSignalTimeout = AbortSignal.timeout.bind(AbortSignal);

globalThis.setTimeout = Object.assign(
  (work: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => realTimeout(work, shorter(ms), ...args),
  realTimeout,
);
globalThis.setInterval = Object.assign(
  (work: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => realInterval(work, shorter(ms), ...args),
  realInterval,
);
promises.setTimeout = (ms, value, options) => realPause(shorter(ms), value, options);
AbortSignal.timeout = (ms) => realSignalTimeout(Math.round(shorter(ms)));

const startedAt = realNow();
const monotonicAtStart = realMonotonic();
performance.now = () => monotonicAtStart + (realMonotonic() - monotonicAtStart) * rate;
const realUptime = os.uptime.bind(os);
const uptimeAtStart = realUptime();
// Leases are counted by this one: it is not set back, and goes on while the computer is suspended.
os.uptime = () => uptimeAtStart + (realUptime() - uptimeAtStart) * rate;
process.hrtime.bigint = () => BigInt(Math.round(Number(realNanoseconds()) * rate));

/** The wall clock starts right and then drifts. */
function wallNow(): number {
  const right = clock.epochMs + (startedAt - clock.epochMs) * clock.rate;
  return Math.round(right + (realNow() - startedAt) * rate + affliction.wallOffsetMs);
}
Date.now = wallNow;
const RealDate = Date;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [wallNow()] : args, newTarget) as Date,
});

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });
}

const realWriteSync = fs.writeSync.bind(fs) as (...args: unknown[]) => number;
fs.writeSync = (...args: unknown[]): number => {
  if (!affliction.diskFull) return realWriteSync(...args);
  const [fd, bytes, position] = args;
  if (!fitsHalf || !(bytes instanceof Uint8Array)) throw noSpace();
  fitsHalf = false;
  const from = typeof position === 'number' ? position : 0;
  const half = Math.floor((bytes.length - from) / 2);
  if (half === 0) throw noSpace();
  return realWriteSync(fd, bytes, from, half);
};

syncBuiltinESMExports();
