import type { Model, Step } from './explore.js';

/**
 * Two jobs that each need the same two machines, of two agents: what the parts of an attempt do to each other. How one
 * participant keeps its lease, its evidence and its machine is the model in lease-protocol.ts.
 *
 * Names follow the code: apps/controller/src/dispatch (DispatchService, AttemptService.#stopPeers, reap). A controller that
 * dies is a transaction that did not commit: nothing of it is left, so that it is no step of its own; without the rule
 * `claimsAll` each role has a transaction of its own, and a controller may die between two of them.
 */
export const Part = { none: 0, assigned: 1, running: 2, stopping: 3, ended: 4 } as const;
/** How a part ended. `peer` = because of the other one. */
export const Outcome = { none: 0, good: 1, crash: 2, infra: 3, peer: 4 } as const;
export const Job = { queued: 0, running: 1, ended: 2 } as const;

interface PairPart {
  state: number;
  outcome: number;
}

export interface PairFarm {
  /** By job: state, further attempts that it may have, and what the last attempt was summed up to. */
  jobs: { state: number; retries: number; outcome: number; parts: [PairPart, PairPart] }[];
  /** By machine, which has an agent of its own: it runs (GONE = it never will again); its connection works. */
  agents: { up: number; linked: number }[];
  faults: number;
}

/** What a test can switch off, to see that the promises hang on it. */
export interface PairRules {
  /** A claim takes all machines of a job in one transaction, or none. */
  claimsAll: boolean;
  /** A part that failed stops the others, those that no agent has accepted at once. */
  stopsPeers: boolean;
  /** The job is repeated when the last part has ended, and not before. */
  endsTogether: boolean;
  /** Leases run out. */
  expires: boolean;
  /** The failure of an attempt is that of a part which failed by itself. */
  blamesTheFirst: boolean;
}
export const ALL_PAIR_RULES: PairRules = {
  claimsAll: true,
  stopsPeers: true,
  endsTogether: true,
  expires: true,
  blamesTheFirst: true,
};

const GONE = 2;
const ROLES = [0, 1] as const;
const JOBS = [0, 1] as const;
/** The second job wants the machines the other way round. */
const machineOf = (job: number, role: number): number => (job === 0 ? role : 1 - role);
const isOpen = ({ state }: PairPart): boolean => state !== Part.none && state !== Part.ended;

const initial = (faults: number): PairFarm => ({
  jobs: JOBS.map(() => ({
    state: Job.queued,
    retries: 1,
    outcome: Outcome.none,
    parts: [
      { state: Part.none, outcome: Outcome.none },
      { state: Part.none, outcome: Outcome.none },
    ],
  })),
  agents: ROLES.map(() => ({ up: 1, linked: 1 })),
  faults,
});

/** The machine has a lease, that of an open part. */
const isLeased = (farm: PairFarm, machine: number): boolean =>
  farm.jobs.some(({ parts }, job) => parts.some((part, role) => isOpen(part) && machineOf(job, role) === machine));

type Change = (farm: PairFarm, rules: PairRules) => boolean;
interface NamedStep {
  name: string;
  fault: boolean;
  take: Change;
}

function* stepsOf(): Generator<NamedStep> {
  for (const job of JOBS) {
    yield {
      name: `a controller claims all machines for job ${job}`,
      fault: false,
      take: (farm, rules) => claim(farm, job, rules),
    };
    for (const role of ROLES) {
      const of = `role ${role} of job ${job}`;
      yield {
        name: `a controller claims a machine for ${of}`,
        fault: false,
        take: (farm, rules) => claimOne(farm, job, role, rules),
      };
      yield { name: `the agent accepts ${of}`, fault: false, take: (farm) => accept(farm, job, role) };
      yield {
        name: `${of} meets the other one and succeeds`,
        fault: false,
        take: (farm, rules) => succeed(farm, job, role, rules),
      };
      yield { name: `${of} stops`, fault: false, take: (farm, rules) => stop(farm, job, role, rules) };
      yield {
        name: `the lease of ${of} runs out`,
        fault: false,
        take: (farm, rules) => expire(farm, job, role, rules),
      };
      yield {
        name: `FAULT the kernel of ${of} crashes`,
        fault: true,
        take: (farm, rules) => crash(farm, job, role, rules),
      };
    }
  }
  for (const machine of ROLES) {
    yield {
      name: `FAULT agent ${machine} dies`,
      fault: true,
      take: (farm) => spend(farm, () => turn(farm, machine, 'up', 0)),
    };
    yield {
      name: `FAULT agent ${machine} is gone for good`,
      fault: true,
      take: (farm) => spend(farm, () => turn(farm, machine, 'up', GONE)),
    };
    yield {
      name: `FAULT agent ${machine} is cut off`,
      fault: true,
      take: (farm) => spend(farm, () => turn(farm, machine, 'linked', 0)),
    };
    yield { name: `agent ${machine} is back`, fault: false, take: (farm, rules) => comeBack(farm, machine, rules) };
    yield {
      name: `agent ${machine} is connected again`,
      fault: false,
      take: (farm) => turn(farm, machine, 'linked', 1),
    };
  }
}
const STEPS = [...stepsOf()];

const partOf = (farm: PairFarm, job: number, role: number): PairPart =>
  farm.jobs[job]?.parts[role === 0 ? 0 : 1] ?? { state: Part.none, outcome: Outcome.none };
const hears = (farm: PairFarm, job: number, role: number): boolean => {
  const agent = farm.agents[machineOf(job, role)];
  return agent?.up === 1 && agent.linked === 1;
};

function claim(farm: PairFarm, job: number, { claimsAll }: PairRules): boolean {
  const row = farm.jobs[job];
  if (!claimsAll || row?.state !== Job.queued || ROLES.some((machine) => isLeased(farm, machine))) return false;
  if (!ROLES.every((role) => hears(farm, job, role))) return false;
  for (const part of row.parts) Object.assign(part, { state: Part.assigned, outcome: Outcome.none });
  row.state = Job.running;
  return true;
}

function claimOne(farm: PairFarm, job: number, role: number, { claimsAll }: PairRules): boolean {
  const row = farm.jobs[job];
  const part = partOf(farm, job, role);
  if (claimsAll || row?.state !== Job.queued || isOpen(part) || isLeased(farm, machineOf(job, role))) return false;
  if (!hears(farm, job, role)) return false;
  Object.assign(part, { state: Part.assigned, outcome: Outcome.none });
  if (row.parts.every(isOpen)) row.state = Job.running;
  return true;
}

function accept(farm: PairFarm, job: number, role: number): boolean {
  const part = partOf(farm, job, role);
  if (part.state !== Part.assigned || !hears(farm, job, role)) return false;
  part.state = Part.running;
  return true;
}

/** A part needs the other one: it succeeds while that runs, or when it has succeeded. */
function succeed(farm: PairFarm, job: number, role: number, rules: PairRules): boolean {
  const [part, other] = [partOf(farm, job, role), partOf(farm, job, 1 - role)];
  if (part.state !== Part.running || !hears(farm, job, role)) return false;
  if (other.state !== Part.running && other.outcome !== Outcome.good) return false;
  return end(farm, job, role, Outcome.good, rules);
}

function stop(farm: PairFarm, job: number, role: number, rules: PairRules): boolean {
  if (partOf(farm, job, role).state !== Part.stopping || !hears(farm, job, role)) return false;
  return end(farm, job, role, Outcome.peer, rules);
}

function crash(farm: PairFarm, job: number, role: number, rules: PairRules): boolean {
  if (partOf(farm, job, role).state !== Part.running || !hears(farm, job, role)) return false;
  return spend(farm, () => end(farm, job, role, Outcome.crash, rules));
}

function expire(farm: PairFarm, job: number, role: number, rules: PairRules): boolean {
  if (!rules.expires || !isOpen(partOf(farm, job, role)) || hears(farm, job, role)) return false;
  return end(farm, job, role, Outcome.infra, rules);
}

/** What it held it ends, as soon as it is heard: here in the same step, where its connection works. */
function comeBack(farm: PairFarm, machine: number, rules: PairRules): boolean {
  if (!turn(farm, machine, 'up', 1)) return false;
  for (const job of JOBS) {
    for (const role of ROLES) {
      const { state } = partOf(farm, job, role);
      const held = state === Part.running || state === Part.stopping;
      if (machineOf(job, role) === machine && held && hears(farm, job, role))
        end(farm, job, role, Outcome.infra, rules);
    }
  }
  return true;
}

function turn(farm: PairFarm, machine: number, what: 'up' | 'linked', value: number): boolean {
  const agent = farm.agents[machine];
  if (agent === undefined || agent[what] === value || agent[what] === GONE) return false;
  agent[what] = value;
  return true;
}

function spend(farm: PairFarm, fault: () => boolean): boolean {
  if (farm.faults === 0 || !fault()) return false;
  farm.faults -= 1;
  return true;
}

function end(farm: PairFarm, job: number, role: number, outcome: number, rules: PairRules): boolean {
  const row = farm.jobs[job];
  if (row === undefined) return false;
  Object.assign(partOf(farm, job, role), { state: Part.ended, outcome });
  const other = partOf(farm, job, 1 - role);
  if (outcome !== Outcome.good && rules.stopsPeers && isOpen(other)) {
    if (other.state === Part.assigned) Object.assign(other, { state: Part.ended, outcome: Outcome.peer });
    else other.state = Part.stopping;
  }
  if (rules.endsTogether && row.parts.some(isOpen)) return true;
  const outcomes = row.parts.map((part) => part.outcome);
  row.outcome = sumUp(outcomes, rules);
  const again = row.outcome === Outcome.infra && row.retries > 0;
  if (again) row.retries -= 1;
  row.state = again ? Job.queued : Job.ended;
  return true;
}

function sumUp(outcomes: readonly number[], { blamesTheFirst }: PairRules): number {
  const order = blamesTheFirst
    ? [Outcome.crash, Outcome.infra, Outcome.peer, Outcome.good]
    : [Outcome.peer, Outcome.crash, Outcome.infra, Outcome.good];
  return order.find((outcome) => outcomes.includes(outcome)) ?? Outcome.none;
}

const copyOf = (farm: PairFarm): PairFarm => structuredClone(farm);

/** One digit for each number. */
const encode = ({ jobs, agents, faults }: PairFarm): string =>
  [
    faults,
    ...agents.flatMap(({ up, linked }) => [up, linked]),
    ...jobs.flatMap(({ state, retries, outcome, parts }) => [
      state,
      retries,
      outcome,
      ...parts.flatMap((part) => [part.state, part.outcome]),
    ]),
  ].join('');

function decode(text: string): PairFarm {
  const numbers = [...text].map(Number);
  const next = (): number => numbers.shift() ?? 0;
  const farm = initial(next());
  for (const agent of farm.agents) Object.assign(agent, { up: next(), linked: next() });
  for (const job of farm.jobs) {
    Object.assign(job, { state: next(), retries: next(), outcome: next() });
    for (const part of job.parts) Object.assign(part, { state: next(), outcome: next() });
  }
  return farm;
}

/** The protocol of two jobs with two roles, with some of its rules. `faults` bounds how much goes wrong on one path. */
export function pairProtocol(faults: number, rules: Partial<PairRules> = {}): Model<PairFarm> {
  const all = { ...ALL_PAIR_RULES, ...rules };
  return {
    initial: initial(faults),
    encode,
    decode,
    // Without an agent its jobs wait for one, and hold no machine meanwhile.
    settled: (farm) =>
      (farm.jobs.every(({ state }) => state === Job.ended) || farm.agents.some(({ up }) => up === GONE)) &&
      !ROLES.some((machine) => isLeased(farm, machine)),
    *steps(farm): Generator<Step<PairFarm>> {
      for (const { name, fault, take } of STEPS) {
        const next = copyOf(farm);
        if (take(next, all)) yield { name, fault, next };
      }
    },
    invariants: [
      {
        promise: 'a job that waits holds no machine',
        broken: ({ jobs }) =>
          jobs.some(({ state, parts }) => state === Job.queued && parts.some(isOpen)) ? 'one does' : null,
      },
      {
        promise: 'a job that ended has no open part',
        broken: ({ jobs }) =>
          jobs.some(({ state, parts }) => state === Job.ended && parts.some(isOpen)) ? 'one has' : null,
      },
      {
        promise: 'the failure of an attempt is that of a part which failed by itself',
        broken: ({ jobs }) => (jobs.some(({ outcome }) => outcome === Outcome.peer) ? 'it is a consequence' : null),
      },
    ],
  };
}
