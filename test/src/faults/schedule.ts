import type { FakeBoot, FakeTest } from '@peerlab/agent/fake';
import type { MachineScript } from './lab.js';
import { Random } from './random.js';

export const MACHINES = ['fake-a', 'fake-b', 'fake-c'] as const;
/** The agents of the farm with their machines. Jobs with two roles have a machine of each. */
export const AGENTS = [
  { name: 'fault-agent', folder: 'agent', machines: ['fake-a', 'fake-c'] },
  { name: 'fault-agent-b', folder: 'agent-b', machines: ['fake-b'] },
] as const;
export const PAIR = { client: 'fake-a', server: 'fake-b' } as const;
export const TESTS = ['F01.alias', 'F02.mixed', 'F03.reuse', 'F04.teardown'] as const;

/** Everything that the suite does to a farm. Durations are virtual milliseconds. */
export type Fault =
  | { kind: 'kill-controller'; which: number; downMs: number }
  | { kind: 'freeze-controller'; which: number; forMs: number }
  | { kind: 'kill-agent'; agent: number; downMs: number }
  | { kind: 'freeze-agent'; agent: number; forMs: number }
  | { kind: 'kill-postgres' }
  | { kind: 'black-hole'; agent: number; forMs: number }
  | { kind: 'cut-connections'; agent: number }
  | { kind: 'late-frames'; agent: number; holdMs: number; lateMs: number }
  | { kind: 'delay'; agent: number; pieceMs: number; forMs: number }
  | { kind: 'duplicate-frames'; agent: number; forMs: number }
  | { kind: 'drop-ssh'; machine: string }
  | { kind: 'reset-machine'; machine: string }
  | { kind: 'break-default-kernel'; machine: string }
  | { kind: 'disk-full'; agent: number; forMs: number }
  | { kind: 'clock-jump'; agent: number; offsetMs: number; forMs: number }
  | { kind: 'cancel-run' };
export type FaultKind = Fault['kind'];

/** When a fault strikes: a time after the start, or a moment after something happened at a machine; in virtual milliseconds. */
export type Moment =
  | { afterMs: number }
  | { machine: string; on: 'command' | 'up' | 'down' | 'result'; purpose: string | null; delayMs: number };

export interface Schedule {
  seed: number;
  controllers: 1 | 2;
  /** Rate of the agent's clocks against the farm's. */
  agentDrift: number;
  /** Runs submitted one after the other: with a job for every machine, or with one job for two machines. */
  runs: number;
  /** Every second run, from the first on, is one job with two roles, on machines of two agents. */
  pairs: boolean;
  /** For how long new runs are submitted as others end; null = only `runs`. Virtual. */
  lastsMs: number | null;
  /** How long a machine takes to come back to its own kernel. Virtual. */
  bootMs: number;
  machines: Record<string, MachineScript>;
  faults: { when: Moment; fault: Fault }[];
}

const FAULT_WEIGHTS: Record<FaultKind, number> = {
  'kill-controller': 4,
  'freeze-controller': 2,
  'kill-agent': 4,
  'freeze-agent': 3,
  'kill-postgres': 2,
  'black-hole': 3,
  'cut-connections': 3,
  'late-frames': 3,
  delay: 2,
  'duplicate-frames': 2,
  'drop-ssh': 2,
  'reset-machine': 2,
  'break-default-kernel': 1,
  'disk-full': 2,
  'clock-jump': 1,
  'cancel-run': 1,
};
export const FAULT_KINDS = Object.keys(FAULT_WEIGHTS) as FaultKind[];

/** Commands of an attempt whose neighbourhood is worth a crash. */
const PURPOSES = [
  'identify',
  'grub-preflight',
  'clean',
  'place-file',
  'grub-install',
  'grub-select',
  'reboot',
  'suite',
  'collect',
  'grub-remove',
];

const TEST_WEIGHTS: Record<FakeTest['act'], number> = {
  pass: 30,
  fail: 3,
  skip: 2,
  warn: 1,
  oops: 2,
  'oops-before-announcing': 1,
  // Trouble of the lab, which the schedule has of its own.
  'machine-check': 0,
  exit: 1,
  'drop-link': 2,
  // It takes as long as a machine may take to come up.
  'lose-network': 0,
  hang: 1,
  oracle: 2,
};
const BOOT_WEIGHTS: Record<FakeBoot, number> = {
  up: 40,
  panic: 2,
  'machine-check': 0,
  hang: 1,
  'no-network': 0,
  garbage: 1,
  'silent-reset': 1,
  'wrong-build': 1,
  'no-root': 1,
  'lost-forever': 1,
};

function makeMachines(random: Random, boots: number): Schedule['machines'] {
  return Object.fromEntries(
    MACHINES.map((name) => [
      name,
      {
        boots: Array.from({ length: boots }, () => random.weighted(BOOT_WEIGHTS)),
        tests: TESTS.map((id) => ({ id, act: random.weighted(TEST_WEIGHTS) })),
      },
    ]),
  );
}

/** The schedule of a seed: the same one every time. */
export function makeSchedule(seed: number): Schedule {
  const random = new Random(seed);
  const machines = makeMachines(random, 4);
  const count = random.between(2, 5);
  return {
    seed,
    controllers: random.chance(0.5) ? 2 : 1,
    agentDrift: random.pick([1, 1, 0.98, 1.02]),
    runs: random.between(1, 2),
    pairs: random.chance(0.5),
    lastsMs: null,
    bootMs: 0,
    machines,
    faults: Array.from({ length: count }, () => ({ when: makeMoment(random), fault: makeFault(random) })),
  };
}

/** Between two faults of a long schedule: the farm shall get something done in between. */
const LONG_FAULT_EVERY_MS = 45_000;

/**
 * Work without a pause for `lastsMs` virtual milliseconds on two controllers, with a fault every now and then,
 * which may meet one that is not over. Machines boot as slowly as small real ones.
 */
export function makeLongSchedule(seed: number, lastsMs: number): Schedule {
  const random = new Random(seed);
  const count = Math.floor(lastsMs / LONG_FAULT_EVERY_MS);
  return {
    seed,
    controllers: 2,
    agentDrift: random.pick([0.98, 1.02]),
    runs: 2,
    pairs: true,
    lastsMs,
    bootMs: 8_000,
    machines: makeMachines(random, Math.ceil(lastsMs / 20_000)),
    faults: Array.from({ length: count }, (_, index) => ({
      when: { afterMs: index * LONG_FAULT_EVERY_MS + random.between(0, LONG_FAULT_EVERY_MS) },
      fault: makeFault(random),
    })),
  };
}

/** Between so many seconds, in milliseconds. */
const seconds = (random: Random, least: number, most: number): number =>
  random.between(Math.round(least * 1000), Math.round(most * 1000));

function makeMoment(random: Random): Moment {
  if (random.chance(0.4)) return { afterMs: seconds(random, 0, 30) };
  const on = random.weighted({ command: 6, up: 2, down: 1, result: 1 });
  return {
    machine: random.pick(MACHINES),
    on,
    purpose: on === 'command' ? random.pick(PURPOSES) : null,
    delayMs: random.chance(0.5) ? seconds(random, 0, 0.2) : seconds(random, 0, 5),
  };
}

function makeFault(random: Random): Fault {
  const kind = random.weighted(FAULT_WEIGHTS);
  const agent = random.between(0, AGENTS.length - 1);
  switch (kind) {
    case 'kill-controller':
      return { kind, which: random.between(0, 1), downMs: seconds(random, 0, 18) };
    case 'freeze-controller':
      return { kind, which: random.between(0, 1), forMs: seconds(random, 3, 42) };
    case 'kill-agent':
      return { kind, agent, downMs: seconds(random, 0, 42) };
    case 'freeze-agent':
      return { kind, agent, forMs: seconds(random, 3, 54) };
    case 'black-hole':
      return { kind, agent, forMs: seconds(random, 3, 54) };
    case 'late-frames':
      return { kind, agent, holdMs: seconds(random, 0.3, 9), lateMs: seconds(random, 0.3, 42) };
    case 'delay':
      return { kind, agent, pieceMs: seconds(random, 0.03, 1.8), forMs: seconds(random, 6, 30) };
    case 'duplicate-frames':
      return { kind, agent, forMs: seconds(random, 6, 36) };
    case 'drop-ssh':
    case 'reset-machine':
    case 'break-default-kernel':
      return { kind, machine: random.pick(MACHINES) };
    case 'disk-full':
      return { kind, agent, forMs: seconds(random, 1, 30) };
    case 'clock-jump':
      return {
        kind,
        agent,
        offsetMs: random.pick([-1, 1]) * random.between(10_000, 7_200_000),
        forMs: seconds(random, 3, 24),
      };
    case 'cut-connections':
      return { kind, agent };
    case 'kill-postgres':
    case 'cancel-run':
      return { kind };
  }
}

/** One line for people. */
export function describeMoment(when: Moment): string {
  if ('afterMs' in when) return `after ${when.afterMs} ms`;
  const what = when.purpose === null ? when.on : `"${when.purpose}"`;
  return `${when.delayMs} ms after ${what} on ${when.machine}`;
}
