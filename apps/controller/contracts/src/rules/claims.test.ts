import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClaimState, planClaims, type Claimant } from './claims.js';
import { compareQueued, OVERTAKEN_AT_MOST_MS, type QueuedJob } from './queue-order.js';
import type { AgentSlots, Seat } from './seats.js';

/** A job of the simulation; `roles`: the machines that each may have. */
interface SimulatedJob extends QueuedJob {
  roles: readonly (readonly string[])[];
  durationMs: number;
}

interface SimulatedFarm {
  /** Agent by machine. */
  machines: ReadonlyMap<string, string>;
  /** Tests at once by agent; none = any number. */
  slots: ReadonlyMap<string, number>;
}

interface Started {
  atMs: number;
  machines: string[];
}

/**
 * Plays a farm until its queue is empty: whenever a job comes or ends, what planClaims names starts. Checks at each step that
 * no machine and no slot is given twice, and that a job has all its machines or none. Throws when jobs wait, nothing
 * runs and nothing comes any more.
 */
function play({ machines, slots }: SimulatedFarm, jobs: readonly SimulatedJob[]): Map<string, Started> {
  const coming = jobs.toSorted((a, b) => a.queuedAtMs - b.queuedAtMs);
  const known = new Map(jobs.map((job) => [job.id, job]));
  const started = new Map<string, Started>();
  const busy = new Map<string, number>();
  let line: SimulatedJob[] = [];
  for (let nowMs = 0; started.size < jobs.length; ) {
    while (coming[0] !== undefined && coming[0].queuedAtMs <= nowMs) line.push(...coming.splice(0, 1));
    line.sort(compareQueued);
    for (const [machine, untilMs] of busy) if (untilMs <= nowMs) busy.delete(machine);
    const running = new Map<string, number>();
    for (const machine of busy.keys()) {
      const agent = machines.get(machine) ?? '';
      running.set(agent, (running.get(agent) ?? 0) + 1);
    }
    const slotsOf = (agent: string): AgentSlots => {
      const total = slots.get(agent) ?? Infinity;
      return { free: total - (running.get(agent) ?? 0), total };
    };
    const seat = (machine: string): Seat => ({
      machine,
      agent: machines.get(machine) ?? '',
      labels: {},
      isFree: !busy.has(machine),
    });
    const queue = line.map(
      ({ id, roles }): Claimant<Seat> => ({
        id,
        // As the queue in the database: a job with one role sees free machines only.
        roles: roles.map((names) => names.map(seat).filter(({ isFree }) => isFree || roles.length > 1)),
        sameLabels: [],
      }),
    );
    const isFirst = (id: string, wanted: readonly string[]): boolean =>
      !line
        .slice(
          0,
          line.findIndex((job) => job.id === id),
        )
        .some(({ roles }) => roles.length === 1 && wanted.some((machine) => roles[0]?.includes(machine)));
    const { claims } = planClaims(queue, slotsOf, isFirst, new ClaimState());
    for (const { id, seats } of claims) {
      const job = known.get(id);
      const names = seats.map(({ machine }) => machine);
      if (job === undefined || started.has(id)) throw new Error(`${id} started twice`);
      if (names.length !== job.roles.length || new Set(names).size !== names.length)
        throw new Error(`${id} has ${names.join()} for ${job.roles.length} roles`);
      for (const [role, name] of names.entries()) {
        if (job.roles[role]?.includes(name) !== true) throw new Error(`${name} is nothing for role ${role} of ${id}`);
        if (busy.has(name)) throw new Error(`${name} is leased twice`);
        busy.set(name, nowMs + job.durationMs);
        const agent = machines.get(name) ?? '';
        running.set(agent, (running.get(agent) ?? 0) + 1);
        if ((running.get(agent) ?? 0) > (slots.get(agent) ?? Infinity)) throw new Error(`${agent} runs too much`);
      }
      started.set(id, { atMs: nowMs, machines: names });
    }
    const gone = new Set(claims.map(({ id }) => id));
    line = line.filter(({ id }) => !gone.has(id));
    const nextMs = Math.min(coming[0]?.queuedAtMs ?? Infinity, ...busy.values());
    if (nextMs === Infinity && started.size < jobs.length) throw new Error(`${line.length} jobs wait for ever`);
    nowMs = nextMs;
  }
  return started;
}

const MINUTE_MS = 60_000;
const LONGEST_MS = 10 * MINUTE_MS;
const CLASSES = 50;

/** 1 000 machines of 50 kinds of hardware at 100 agents, half of which limit what they run at once. */
const LARGE: SimulatedFarm = {
  machines: new Map(Array.from({ length: 1000 }, (_, index) => [`m${index}`, `a${index % 100}`])),
  slots: new Map(Array.from({ length: 50 }, (_, index) => [`a${index * 2}`, 4])),
};
const ofClass = (index: number): string[] =>
  [...LARGE.machines.keys()].filter((_, at) => at % CLASSES === index % CLASSES);

const choice = fc.oneof(
  fc.integer({ min: 0, max: CLASSES - 1 }).map(ofClass),
  fc.integer({ min: 0, max: 999 }).map((index) => [`m${index}`]),
);
const job = fc
  .record({
    priority: fc.integer({ min: 0, max: 100 }),
    queuedAtMs: fc.integer({ min: 0, max: 60 * MINUTE_MS }),
    durationMs: fc.integer({ min: 1000, max: LONGEST_MS }),
    roles: fc.oneof(
      { weight: 3, arbitrary: fc.tuple(choice) },
      { weight: 1, arbitrary: fc.array(choice, { minLength: 2, maxLength: 5 }) },
    ),
  })
  // Two roles for one and the same machine are never there.
  .filter(({ roles }) => {
    const names = roles.filter((each) => each.length === 1).flat();
    return new Set(names).size === names.length;
  });

describe('claims on 1 000 machines', () => {
  it('give every job all its machines, once, and let none wait for ever, whatever roles there are', () => {
    fc.assert(
      fc.property(fc.array(job, { minLength: 300, maxLength: 600 }), (jobs) => {
        const named = jobs.map((each, index) => ({ ...each, id: `j${index}`, position: index }));
        const isPossible = named.filter(
          ({ roles }) =>
            planClaims(
              [claimant(roles)],
              () => UNLIMITED,
              () => false,
            ).claims.length === 1,
        );
        expect(play(LARGE, isPossible).size).toBe(isPossible.length);
      }),
      { numRuns: 8 },
    );
  });

  it('are the machines of a job whose roles want each other’s, and of a chain of such jobs', () => {
    const machines = new Map(Array.from({ length: 20 }, (_, index) => [`m${index}`, 'a']));
    const jobs = Array.from({ length: 200 }, (_, index): SimulatedJob => {
      const [a, b] = [`m${index % 20}`, `m${(index + 1 + (index % 3)) % 20}`];
      const pair = index % 2 === 0 ? [[a], [b]] : [[b], [a]];
      return { id: `j${index}`, position: index, priority: 0, queuedAtMs: 0, durationMs: 1000 + index, roles: pair };
    });
    expect(play({ machines, slots: new Map() }, jobs).size).toBe(200);
  });
});

const UNLIMITED: AgentSlots = { free: Infinity, total: Infinity };
const claimant = (roles: readonly (readonly string[])[]): Claimant<Seat> => ({
  id: 'j',
  roles: roles.map((names) => names.map((machine) => ({ machine, agent: 'a', labels: {}, isFree: true }))),
  sameLabels: [],
});

/** A single job for each machine every `everyMs`, so that it always has more than it can do. */
function stream(machines: readonly string[], priority: number, untilMs: number, everyMs: number): SimulatedJob[] {
  const jobs: SimulatedJob[] = [];
  for (let queuedAtMs = 0; queuedAtMs < untilMs; queuedAtMs += everyMs) {
    for (const machine of machines) {
      const id = `single ${machine} ${queuedAtMs}`;
      // Of different lengths: the machines are never free at the same time by themselves.
      const durationMs = everyMs + ((Number(machine.slice(1)) * 7919) % everyMs);
      jobs.push({ id, position: 0, priority, queuedAtMs, durationMs, roles: [[machine]] });
    }
  }
  return jobs;
}

describe('a job with four roles under a stream of jobs that never leaves its machines alone', () => {
  const machines = ['m0', 'm1', 'm2', 'm3'];
  const farm = { machines: new Map(machines.map((name) => [name, 'a'])), slots: new Map<string, number>() };
  const gang = (queuedAtMs: number, priority: number): SimulatedJob => ({
    id: 'gang',
    position: 0,
    priority,
    queuedAtMs,
    durationMs: MINUTE_MS,
    roles: machines.map((name) => [name]),
  });

  it('starts when those before it have ended, and each role has come free once', () => {
    const jobs = [...stream(machines, 50, 100 * MINUTE_MS, MINUTE_MS), gang(10 * MINUTE_MS, 50)];
    const before = jobs.filter((each) => compareQueued(each, gang(10 * MINUTE_MS, 50)) < 0);
    const longest = Math.max(...machines.map((name) => sumOf(before.filter(({ roles }) => roles[0]?.[0] === name))));
    // What runs on a machine when those before have ended is at most one job more.
    expect(play(farm, jobs).get('gang')?.atMs).toBeLessThanOrEqual(longest + 2 * MINUTE_MS);
  });

  it('starts although they are more important, when it has waited long enough', () => {
    const jobs = [...stream(machines, 100, 2 * OVERTAKEN_AT_MOST_MS, 5 * MINUTE_MS), gang(0, 0)];
    const before = jobs.filter((each) => compareQueued(each, gang(0, 0)) < 0);
    const longest = Math.max(...machines.map((name) => sumOf(before.filter(({ roles }) => roles[0]?.[0] === name))));
    expect(play(farm, jobs).get('gang')?.atMs).toBeLessThanOrEqual(longest + 10 * MINUTE_MS);
  });

  it('leaves machines alone while others are before it somewhere, and holds none that it may not have soon', () => {
    // m0 is free and m1 has a line: the single job that came later takes m0 meanwhile.
    const line = Array.from(
      { length: 5 },
      (_, index): SimulatedJob => ({
        ...gang(0, 50),
        id: `line ${index}`,
        position: index,
        roles: [['m1']],
      }),
    );
    const pair: SimulatedJob = { ...gang(1, 50), roles: [['m0'], ['m1']] };
    const later: SimulatedJob = { ...gang(2, 50), id: 'later', durationMs: 1000, roles: [['m0']] };
    const started = play(farm, [...line, pair, later]);
    expect(started.get('later')?.atMs).toBe(2);
    expect(started.get('gang')?.atMs).toBe(5 * MINUTE_MS);
  });
});

const sumOf = (jobs: readonly SimulatedJob[]): number => jobs.reduce((sum, { durationMs }) => sum + durationMs, 0);
