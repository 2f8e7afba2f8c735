import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, Unreachable } from '@peerlab/cli';
import type { Truth } from './lab.js';
import type { FaultFarm } from './fault-farm.js';
import { type Fault, MACHINES, type Moment, type Schedule } from './schedule.js';

/** Longest that work may take after the last fault is over: some leases, some retries. Virtual. */
const SETTLE_MS = 720_000;
/** A fault whose moment does not come strikes nobody. Virtual. */
const MOMENT_MS = 72_000;
/** Between runs that are submitted. Virtual. */
const BETWEEN_RUNS_MS = 2_400;

export interface Performance {
  runIds: string[];
  /** Faults that struck, in order. */
  struck: Fault['kind'][];
  /** Where the schedule's part of the lab's truth begins. */
  truthFrom: number;
  /** Problems that show before anything is compared. */
  problems: string[];
  /** Machines that a person had to mend, with what was wrong at that moment. */
  mended: { machine: string; leftovers: string[] }[];
  /** What is wrong in the end with machines that nobody had to mend. */
  leftovers: { machine: string; what: string[] }[];
}

/** Lets a schedule happen to a farm and waits until everything has recovered. */
export async function perform(farm: FaultFarm, schedule: Schedule): Promise<Performance> {
  const done: Performance = {
    runIds: [],
    struck: [],
    truthFrom: farm.lab.truth.length,
    problems: [],
    mended: [],
    leftovers: [],
  };
  await prepare(farm, schedule);
  const faults = schedule.faults.map(({ when, fault }) => strike(farm, when, fault, done));
  const submissions = submitRuns(farm, schedule, done);
  await Promise.all([submissions, ...faults]);
  await recover(farm, schedule);
  await settle(farm, done);
  for (const { name, leftovers } of [...farm.lab.machines.values()].map((machine) => ({
    name: machine.name,
    leftovers: machine.leftovers(),
  }))) {
    if (leftovers.length > 0) done.leftovers.push({ machine: name, what: leftovers });
  }
  for (const program of [...farm.controllers, farm.agent]) {
    done.problems.push(...program.unexpected.splice(0).map((end) => `a process ended by itself: ${end}`));
  }
  return done;
}

async function prepare(farm: FaultFarm, schedule: Schedule): Promise<void> {
  for (const [name, script] of Object.entries(schedule.machines)) farm.lab.machine(name).follow(script);
  if (schedule.controllers === 2) await farm.startController(1);
  else await farm.killController(1);
  await farm.agent.kill();
  farm.restartAgentProgram(schedule.agentDrift);
  await farm.afflict({ wallOffsetMs: 0, diskFull: false });
  farm.agent.start();
}

async function submitRuns(farm: FaultFarm, schedule: Schedule, done: Performance): Promise<void> {
  for (let run = 0; run < schedule.runs; run += 1) {
    const yaml = JSON.stringify({
      name: `seed ${schedule.seed} run ${run}`,
      builds: [{ name: 'patched', bundle: farm.manifest.key }],
      suites: farm.manifest.suites.map(({ name }) => name),
      machines: { names: [...MACHINES] },
      timeouts: { bootSeconds: 15, attemptSeconds: 240 },
    });
    const id = await persist(async () => (await (await farm.client()).call('submitRun', { body: { yaml } })).id);
    done.runIds.push(id);
    await farm.pass(BETWEEN_RUNS_MS);
  }
}

/** Does again what failed because a controller or the database was away. */
async function persist<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      const away = error instanceof Unreachable || (error instanceof ApiError && error.problem.status >= 500);
      if (!away && !(error instanceof TypeError)) throw error;
      if (tries > 300) throw error;
      await pause(150);
    }
  }
}

async function strike(farm: FaultFarm, when: Moment, fault: Fault, done: Performance): Promise<void> {
  if (!(await moment(farm, when))) return;
  done.struck.push(fault.kind);
  const { proxy } = farm;
  switch (fault.kind) {
    case 'kill-controller': {
      const index = farm.controllers[fault.which]?.alive === true ? fault.which : 0;
      await farm.killController(index);
      await farm.pass(fault.downMs);
      // Without Postgres it gives up, as it should; everything is started again in the end.
      return farm.startController(index).catch(() => undefined);
    }
    case 'freeze-controller':
      return freeze(farm, fault.which === 1 && farm.controllers[1]?.alive === true ? 'second' : 'first', fault.forMs);
    case 'kill-agent':
      await farm.agent.kill();
      await farm.pass(fault.downMs);
      farm.agent.start();
      return;
    case 'freeze-agent':
      return freeze(farm, 'agent', fault.forMs);
    case 'kill-postgres':
      // A controller brings it back.
      return farm.killPostgres();
    case 'black-hole':
      proxy.openBlackHole();
      await farm.pass(fault.forMs);
      proxy.weather.blackHole = false;
      return;
    case 'cut-connections':
      proxy.cut();
      return;
    case 'late-frames':
      proxy.weather.holdBack = true;
      await farm.pass(fault.holdMs);
      return proxy.cutAndDeliverLate(farm.realMs(fault.lateMs));
    case 'delay':
      proxy.weather.delayMs = farm.realMs(fault.pieceMs);
      await farm.pass(fault.forMs);
      proxy.weather.delayMs = 0;
      return;
    case 'duplicate-frames':
      proxy.weather.duplicate = true;
      await farm.pass(fault.forMs);
      proxy.weather.duplicate = false;
      return;
    case 'drop-ssh':
      farm.lab.machine(fault.machine).fake.ssh.dropAll();
      return;
    case 'reset-machine':
      await farm.lab.machine(fault.machine).fake.power.reset();
      return;
    case 'break-default-kernel':
      farm.lab.machine(fault.machine).fake.defaultIsBroken = true;
      return;
    case 'disk-full':
      await farm.afflict({ wallOffsetMs: 0, diskFull: true });
      await farm.pass(fault.forMs);
      return farm.afflict({ wallOffsetMs: 0, diskFull: false });
    case 'clock-jump':
      await farm.afflict({ wallOffsetMs: fault.offsetMs, diskFull: false });
      await farm.pass(fault.forMs);
      return farm.afflict({ wallOffsetMs: 0, diskFull: false });
    case 'cancel-run': {
      const id = done.runIds.at(-1);
      if (id !== undefined) await persist(async () => (await farm.client()).call('cancelRun', { params: { run: id } }));
    }
  }
}

async function freeze(farm: FaultFarm, whom: 'agent' | 'first' | 'second', forMs: number): Promise<void> {
  const program = whom === 'agent' ? farm.agent : farm.controllers[whom === 'first' ? 0 : 1];
  program?.signal('SIGSTOP');
  await farm.pass(forMs);
  program?.signal('SIGCONT');
}

/** Resolves to false when the moment did not come. */
async function moment(farm: FaultFarm, when: Moment): Promise<boolean> {
  if ('afterMs' in when) {
    await farm.pass(when.afterMs);
    return true;
  }
  const came = await new Promise<boolean>((resolve) => {
    const before = farm.lab.onTruth;
    const timer = setTimeout(() => finish(false), farm.realMs(MOMENT_MS));
    const finish = (came: boolean): void => {
      clearTimeout(timer);
      watching = false;
      resolve(came);
    };
    let watching = true;
    farm.lab.onTruth = (truth) => {
      before(truth);
      if (watching && fits(when, truth)) finish(true);
    };
  });
  if (came) await farm.pass(when.delayMs);
  return came;
}

function fits(when: Exclude<Moment, { afterMs: number }>, { machine, event }: Truth): boolean {
  if (machine !== when.machine || event.type !== when.on) return false;
  return event.type !== 'command' || event.purpose === when.purpose;
}

/** Everything that was broken works again; what died is started. Machines stay as they are. */
async function recover(farm: FaultFarm, schedule: Schedule): Promise<void> {
  farm.lab.onTruth = () => undefined;
  Object.assign(farm.proxy.weather, { blackHole: false, delayMs: 0, duplicate: false, holdBack: false });
  for (const program of [...farm.controllers, farm.agent]) program.signal('SIGCONT');
  // One that gave up without Postgres is started again, as a service manager would.
  await farm.startController(0);
  if (schedule.controllers === 2) await farm.startController(1);
  await farm.until('Postgres, which the controllers bring back', 300_000, () => farm.answers());
  await farm.afflict({ wallOffsetMs: 0, diskFull: false });
  farm.agent.start();
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
    const stuck = await farm.query<{ name: string }>(
      `select name from machine m where desired = 'quarantined'
         and not exists (select 1 from lease l where l.machine = m.name and l.released_at is null)`,
    );
    for (const { name } of stuck) await mend(farm, name, done);
    if (open?.runs === 0 && open.leases === 0 && spooled.length === 0 && stuck.length === 0) return;
    if (Date.now() > end) {
      done.problems.push(
        `not settled after ${SETTLE_MS / 1000} virtual seconds: ${open?.runs} runs and ${open?.leases} leases are open, spooled: ${spooled.join(', ') || 'nothing'}`,
      );
      return;
    }
    await pause(200);
  }
}

async function mend(farm: FaultFarm, name: string, done: Performance): Promise<void> {
  const machine = farm.lab.machine(name);
  done.mended.push({ machine: name, leftovers: machine.leftovers() });
  await machine.mend();
  await persist(async () =>
    (await farm.client()).call('setMachine', { params: { machine: name }, body: { desired: 'active' } }),
  );
}
