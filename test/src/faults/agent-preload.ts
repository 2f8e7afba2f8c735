/**
 * As `preload`, and waits of the agent that fit fake machines, which boot in an instant: a machine
 * that is gone for good is given up after virtual minutes instead of a quarter of an hour.
 */
import './preload.js';
import { pathToFileURL } from 'node:url';
import { AGENT_DIST_VARIABLE } from './virtual-time.js';

const dist = process.env[AGENT_DIST_VARIABLE] ?? '';
const load = async (path: string): Promise<Record<string, Record<string, number>>> =>
  (await import(pathToFileURL(`${dist}/${path}`).href)) as Record<string, Record<string, number>>;

Object.assign((await load('job/pace.js'))['PACE'] ?? {}, {
  connectTimeoutMs: 20_000,
  pollMs: 300,
  reachMs: 30_000,
  recoverMs: 30_000,
  lateCrashMs: 3_000,
  crashTextMs: 2_000,
  settleMs: 600,
  restoreMs: 120_000,
});
Object.assign((await load('worker/fleet-watch.js'))['FLEET_PACE'] ?? {}, {
  connectTimeoutMs: 20_000,
  idleMs: 30_000,
  absentMs: 3_000,
});
