import type { FaultFarm } from './fault-farm.js';
import type { Truth } from './lab.js';
import { persist } from './persist.js';
import type { Program } from './program.js';
import type { Fault, Moment } from './schedule.js';
import { virtualNow } from './virtual-time.js';

/** A fault whose moment does not come in this time does not strike. Virtual. */
const MOMENT_MS = 72_000;

/** What has happened so far. */
export interface Struck {
  runIds: readonly string[];
  /** Faults that struck, in order. */
  struck: Fault['kind'][];
  /** Resolves when nothing happens at the machines any more: what has not come by then does not come. */
  ended: Promise<void>;
  /** When an agent was frozen, in virtual epoch milliseconds. */
  agentFrozen: { fromMs: number; toMs: number }[];
}

/** Lets a fault happen at its moment; resolves when it is over. */
export async function strike(farm: FaultFarm, when: Moment, fault: Fault, done: Struck): Promise<void> {
  if (!(await moment(farm, when, done))) return;
  done.struck.push(fault.kind);
  const [program, proxy] =
    'agent' in fault ? [farm.agents[fault.agent], farm.proxies[fault.agent]] : [undefined, undefined];
  switch (fault.kind) {
    case 'kill-controller': {
      const index = farm.controllers[fault.which]?.alive === true ? fault.which : 0;
      await farm.killController(index);
      await farm.pass(fault.downMs);
      return farm.startController(index);
    }
    case 'freeze-controller':
      return freeze(
        farm,
        farm.controllers[fault.which === 1 && farm.controllers[1]?.alive === true ? 1 : 0],
        fault.forMs,
      );
    case 'kill-agent':
      await program?.kill();
      await farm.pass(fault.downMs);
      program?.start();
      return;
    case 'freeze-agent': {
      const fromMs = virtualNow(farm.clock);
      await freeze(farm, program, fault.forMs);
      done.agentFrozen.push({ fromMs, toMs: virtualNow(farm.clock) });
      return;
    }
    case 'kill-postgres':
      // A controller brings it back.
      return farm.killPostgres();
    case 'black-hole':
      proxy?.openBlackHole();
      await farm.pass(fault.forMs);
      if (proxy !== undefined) proxy.weather.blackHole = false;
      return;
    case 'cut-connections':
      proxy?.cut();
      return;
    case 'late-frames':
      if (proxy !== undefined) proxy.weather.holdBack = true;
      await farm.pass(fault.holdMs);
      return proxy?.cutAndDeliverLate(farm.realMs(fault.lateMs));
    case 'delay':
      if (proxy !== undefined) proxy.weather.delayMs = farm.realMs(fault.pieceMs);
      await farm.pass(fault.forMs);
      if (proxy !== undefined) proxy.weather.delayMs = 0;
      return;
    case 'duplicate-frames':
      if (proxy !== undefined) proxy.weather.duplicate = true;
      await farm.pass(fault.forMs);
      if (proxy !== undefined) proxy.weather.duplicate = false;
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
      await farm.afflict(fault.agent, { wallOffsetMs: 0, diskFull: true });
      await farm.pass(fault.forMs);
      return farm.afflict(fault.agent, { wallOffsetMs: 0, diskFull: false });
    case 'clock-jump':
      await farm.afflict(fault.agent, { wallOffsetMs: fault.offsetMs, diskFull: false });
      await farm.pass(fault.forMs);
      return farm.afflict(fault.agent, { wallOffsetMs: 0, diskFull: false });
    case 'cancel-run': {
      const id = done.runIds.at(-1);
      if (id !== undefined) await persist(async () => (await farm.client()).call('cancelRun', { params: { run: id } }));
    }
  }
}

async function freeze(farm: FaultFarm, program: Program | undefined, forMs: number): Promise<void> {
  program?.signal('SIGSTOP');
  await farm.pass(forMs);
  program?.signal('SIGCONT');
}

/** Resolves to false when the moment did not come. */
async function moment(farm: FaultFarm, when: Moment, done: Struck): Promise<boolean> {
  if ('afterMs' in when) {
    await farm.pass(when.afterMs);
    return true;
  }
  const came = await new Promise<boolean>((resolve) => {
    const before = farm.lab.onTruth;
    const timer = setTimeout(() => finish(false), farm.realMs(MOMENT_MS));
    void done.ended.then(() => finish(false));
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
