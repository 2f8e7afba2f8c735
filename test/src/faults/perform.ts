import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@peerlab/controller/testing';
import type { FaultFarm } from './fault-farm.js';
import { persist } from './persist.js';
import { AGENTS, MACHINES, PAIR, type Schedule } from './schedule.js';
import { type Struck, strike } from './strike.js';

/** Time limit for all work after the last fault is over: some leases, some retries. Virtual. */
const SETTLE_MS = 720_000;
/** Between runs that are submitted. Virtual. */
const BETWEEN_RUNS_MS = 2_400;
/** Runs that are open at any time of a long schedule: one may end while the next is being submitted. */
const OPEN_RUNS = 3;

export interface Performance extends Struck {
  runIds: string[];
  /** Until this moment of the database's clock some run had to be open at any time; null = no such promise. */
  busyUntilMs: number | null;
  /** Where the schedule's part of the lab's truth begins. */
  truthFrom: number;
  /** Problems that show before anything is compared. */
  problems: string[];
  /** Machines that a person had to mend, with what was wrong at that moment. */
  mended: { machine: string; leftovers: string[] }[];
  /** What is wrong in the end with machines that were not mended. */
  leftovers: { machine: string; what: string[] }[];
}

/** Lets a schedule happen to a farm and waits until everything has recovered. */
export async function perform(farm: FaultFarm, schedule: Schedule): Promise<Performance> {
  const done: Performance = {
    runIds: [],
    struck: [],
    ended: Promise.resolve(),
    agentFrozen: [],
    busyUntilMs: null,
    truthFrom: farm.lab.truth.length,
    problems: [],
    mended: [],
    leftovers: [],
  };
  await prepare(farm, schedule);
  let allEnded = (): void => undefined;
  done.ended = new Promise((resolve) => (allEnded = resolve));
  const faults = schedule.faults.map(({ when, fault }) => strike(farm, when, fault, done));
  const { lastsMs } = schedule;
  const work = lastsMs === null ? submitRuns(farm, schedule, done) : keepBusy(farm, schedule, lastsMs, done);
  const over = new AbortController();
  await Promise.all([
    work.then(() => awaitEnds(farm, done, over.signal)).then(allEnded),
    Promise.all([work, ...faults]).finally(() => over.abort()),
  ]);
  await recover(farm, schedule);
  await settle(farm, done);
  for (const { name, leftovers } of [...farm.lab.machines.values()].map((machine) => ({
    name: machine.name,
    leftovers: machine.leftovers(),
  }))) {
    if (leftovers.length > 0) done.leftovers.push({ machine: name, what: leftovers });
  }
  for (const program of [...farm.controllers, ...farm.agents]) {
    const gaveUp = program.gaveUp.splice(0);
    // Without Postgres a controller cannot start, and is right to say so.
    const ends = [...program.unexpected.splice(0), ...(done.struck.includes('kill-postgres') ? [] : gaveUp)];
    done.problems.push(...ends.map((end) => `a process ended by itself: ${end}`));
  }
  return done;
}

async function prepare(farm: FaultFarm, schedule: Schedule): Promise<void> {
  for (const [name, script] of Object.entries(schedule.machines)) {
    const machine = farm.lab.machine(name);
    machine.follow(script);
    machine.fake.defaultBootMs = farm.realMs(schedule.bootMs);
  }
  if (schedule.controllers === 2) await farm.startController(1);
  else await farm.killController(1);
  for (const agent of farm.agents) await agent.kill();
  farm.restartAgentPrograms(schedule.agentDrift);
  await startAgents(farm);
}

/** All of them, with a right clock and room on their disks. */
async function startAgents(farm: FaultFarm): Promise<void> {
  for (const index of AGENTS.keys()) await farm.afflict(index, { wallOffsetMs: 0, diskFull: false });
  for (const agent of farm.agents) agent.start();
}

async function submitRuns(farm: FaultFarm, schedule: Schedule, done: Performance): Promise<void> {
  for (let run = 0; run < schedule.runs; run += 1) {
    await submitRun(farm, schedule, done);
    await farm.pass(BETWEEN_RUNS_MS);
  }
}

async function submitRun(farm: FaultFarm, { seed, pairs }: Schedule, done: Performance): Promise<void> {
  const isPair = pairs && done.runIds.length % 2 === 0;
  const yaml = JSON.stringify({
    name: `seed ${seed} run ${done.runIds.length}`,
    builds: [{ name: 'patched', bundle: farm.bundleKey }],
    suites: farm.manifest.suites.map(({ name }) => name),
    machines: isPair ? {} : { names: [...MACHINES] },
    ...(isPair && { roles: Object.entries(PAIR).map(([name, machine]) => ({ name, machines: { names: [machine] } })) }),
    timeouts: { bootSeconds: 15, attemptSeconds: 240 },
  });
  const id = randomUUID();
  await persist(async () => (await farm.client()).call('submitRun', { body: { yaml, id } }));
  done.runIds.push(id);
}

/** Submits runs as others end, and mends machines as they are quarantined. */
async function keepBusy(farm: FaultFarm, schedule: Schedule, lastsMs: number, done: Performance): Promise<void> {
  const end = Date.now() + farm.realMs(lastsMs);
  while (Date.now() < end) {
    const [open] = await farm.query<{ runs: number }>(
      `select count(*) as runs from run where id = any($1) and state <> 'ended'`,
      [done.runIds],
    );
    // As a service manager would.
    for (const [index, controller] of farm.controllers.entries()) {
      if (controller.fallen) await farm.startController(index);
    }
    for (let runs = open?.runs ?? 0; runs < OPEN_RUNS; runs += 1) await submitRun(farm, schedule, done);
    await mendQuarantined(farm, done);
    await farm.pass(BETWEEN_RUNS_MS);
  }
  const [now] = await farm.query<{ ms: number }>('select extract(epoch from clock_timestamp())::float8 * 1000 as ms');
  done.busyUntilMs = now?.ms ?? null;
}

/** Waits until no run is open and no lease is held, or until nothing waits for that any more. */
async function awaitEnds(farm: FaultFarm, done: Performance, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const [open] = await farm.query<{ n: number }>(
      `select (select count(*) from run where id = any($1) and state <> 'ended')
         + (select count(*) from lease where released_at is null) as n`,
      [done.runIds],
    );
    if (open?.n === 0 && farm.spooled().length === 0) return;
    await pause(100, undefined, { signal: over }).catch(() => undefined);
  }
}

/** Everything that was broken works again; what died is started. Machines stay as they are. */
async function recover(farm: FaultFarm, schedule: Schedule): Promise<void> {
  farm.lab.onTruth = () => undefined;
  for (const { weather } of farm.proxies) {
    Object.assign(weather, { blackHole: false, delayMs: 0, duplicate: false, holdBack: false });
  }
  for (const program of [...farm.controllers, ...farm.agents]) program.signal('SIGCONT');
  await farm.startController(0);
  if (schedule.controllers === 2) await farm.startController(1);
  await eventually('Postgres, which the controllers bring back', () => farm.answers(), Boolean, { limitMs: 300_000 });
  await startAgents(farm);
}

/** Waits until every run has ended and every line arrived; mends quarantined machines as a person would. */
async function settle(farm: FaultFarm, done: Performance): Promise<void> {
  const end = Date.now() + farm.realMs(SETTLE_MS);
  for (;;) {
    const [open] = await farm.query<{ runs: number; leases: number }>(
      `select (select count(*) from run where id = any($1) and state <> 'ended') as runs,
         (select count(*) from lease where released_at is null) as leases`,
      [done.runIds],
    );
    const spooled = farm.spooled();
    const mended = await mendQuarantined(farm, done);
    if (open?.runs === 0 && open.leases === 0 && spooled.length === 0 && mended === 0) return;
    if (Date.now() > end) {
      done.problems.push(
        `not settled after ${SETTLE_MS / 1000} virtual seconds: ${open?.runs} runs and ${open?.leases} leases are open, spooled: ${spooled.join(', ') || 'nothing'}`,
      );
      return;
    }
    await pause(200);
  }
}

/** Returns how many machines without a lease were quarantined. */
async function mendQuarantined(farm: FaultFarm, done: Performance): Promise<number> {
  const stuck = await farm.query<{ name: string }>(
    `select name from machine m where desired = 'quarantined'
       and not exists (select 1 from lease l where l.machine = m.name and l.released_at is null)`,
  );
  for (const { name } of stuck) await mend(farm, name, done);
  return stuck.length;
}

async function mend(farm: FaultFarm, name: string, done: Performance): Promise<void> {
  const machine = farm.lab.machine(name);
  done.mended.push({ machine: name, leftovers: machine.leftovers() });
  await machine.mend();
  await persist(async () =>
    (await farm.client()).call('setMachine', {
      params: { machine: name },
      body: { desired: 'active', reason: 'a test' },
    }),
  );
}
