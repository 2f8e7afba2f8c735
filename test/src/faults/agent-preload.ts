/**
 * As `preload`, and waits of the agent that fit fake machines, which boot in an instant: a machine
 * that is gone for good is given up after virtual minutes instead of a quarter of an hour.
 */
import './preload.js';
import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import { pathToFileURL } from 'node:url';
import { ACTOR_COMMAND, POWER_SOCKET } from './power-actor.js';
import { AGENT_DIST_VARIABLE, MUTANT_VARIABLE } from './virtual-time.js';

const dist = process.env[AGENT_DIST_VARIABLE] ?? '';
const load = async <T extends object>(path: string): Promise<T> =>
  (await import(pathToFileURL(`${dist}/${path}`).href)) as T;

const { PACE } = await load<{ PACE: object }>('job/pace.js');
Object.assign(PACE, {
  connectTimeoutMs: 20_000,
  pollMs: 300,
  reachMs: 30_000,
  firmwareMs: 10_000,
  recoverMs: 30_000,
  orderMs: 5_000,
  lateCrashMs: 3_000,
  crashTextMs: 2_000,
  settleMs: 600,
  devicesMs: 2_000,
  restoreMs: 120_000,
});
const { FLEET_PACE } = await load<{ FLEET_PACE: object }>('worker/fleet-watch.js');
Object.assign(FLEET_PACE, {
  connectTimeoutMs: 20_000,
  idleMs: 30_000,
  absentMs: 3_000,
});

if (process.env[MUTANT_VARIABLE] === 'lease-never-runs-out') {
  // Leases are counted by this clock.
  const startedAt = os.uptime();
  os.uptime = () => startedAt;
}

/** An attempt that the agent holds, as its runner is given it. */
interface Acting {
  fence: number;
  report(): { stage: string | null };
}
const acting = new AsyncLocalStorage<Acting>();
type Run = (attempt: Acting, ...rest: unknown[]) => unknown;
const { JobRunner } = await load<{ JobRunner: { prototype: Record<string, Run | undefined> } }>('worker/job-runner.js');
for (const name of ['perform', 'recover']) {
  const run = JobRunner.prototype[name];
  if (run === undefined)
    throw new Error(`JobRunner has no method ${name} any more: tell the lab who acts in another way`);
  JobRunner.prototype[name] = function (this: unknown, attempt, ...rest) {
    return acting.run(attempt, () => run.call(this, attempt, ...rest));
  };
}

const connect = net.connect as (...args: unknown[]) => net.Socket;
const connectAsActor = (...args: unknown[]): net.Socket => {
  const socket = connect(...args);
  const attempt = acting.getStore();
  if (attempt !== undefined && typeof args[0] === 'string' && args[0].endsWith(POWER_SOCKET)) {
    const said = { fence: attempt.fence, stage: attempt.report().stage };
    socket.write(`${JSON.stringify({ execute: ACTOR_COMMAND, arguments: said })}\n`);
  }
  return socket;
};
Object.assign(net, { connect: connectAsActor });
syncBuiltinESMExports();
