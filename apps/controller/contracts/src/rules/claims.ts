import { chooseSeats, type AgentSlots, type Seat } from './seats.js';

/** A job that waits, with the machines that each of its roles may have, the preferred ones first. */
export interface Claimant<S extends Seat> {
  id: string;
  roles: readonly (readonly S[])[];
  /** Labels that the machines of its roles must have with one value. */
  sameLabels: readonly string[];
}

/** A job that can start now, with a machine for each of its roles. */
export interface Claim<S extends Seat> {
  id: string;
  seats: S[];
}

/** A job with several roles that cannot start yet, and machines that it could have, some of which are busy. */
export interface Wait<S extends Seat> {
  id: string;
  seats: S[];
}

/** What is decided already while the queue is gone through. */
export class ClaimState {
  readonly #taken = new Set<string>();
  readonly #wanted = new Set<string>();
  readonly #slots = new Map<string, number>();

  copy(): ClaimState {
    const copy = new ClaimState();
    for (const machine of this.#taken) copy.#taken.add(machine);
    for (const machine of this.#wanted) copy.#wanted.add(machine);
    for (const [agent, count] of this.#slots) copy.#slots.set(agent, count);
    return copy;
  }

  has(machine: string): boolean {
    return this.#taken.has(machine);
  }

  /** The machine, and a slot of its agent where it needs a further one, are not there for jobs behind. */
  take({ machine, agent, isFree }: Seat): void {
    this.#taken.add(machine);
    if (isFree) this.#slots.set(agent, (this.#slots.get(agent) ?? 0) + 1);
  }

  /** A job with several roles may take it some time, and does not hold it back. */
  want(machines: Iterable<string>): void {
    for (const machine of machines) this.#wanted.add(machine);
  }

  isWanted(machine: string): boolean {
    return this.#wanted.has(machine);
  }

  left({ free, total }: AgentSlots, agent: string): AgentSlots {
    const taken = this.#slots.get(agent) ?? 0;
    return { free: free - taken, total: total - taken };
  }
}

/**
 * Which of the jobs start now, all roles of a job at once or none. Each takes what is left by those before it. A job with
 * several roles that lacks a machine holds back those that it could have, from the jobs behind it alone, as soon as it is the
 * first in line for each of them: then what it waits for is what runs there now, and each machine that comes free
 * stays with it until it has all. Jobs age at one pace, so every job is the first in line at some time (queue-order.ts):
 * no job waits for ever, and as nobody holds a lease while it waits, none waits for another that waits for it.
 * @param queue in the order of compareQueued
 * @param isFirstInLine no job with one role that stands before it may take a machine of these
 * @param state of the part of the queue before this one
 */
export function planClaims<S extends Seat>(
  queue: readonly Claimant<S>[],
  slotsOf: (agent: string) => AgentSlots,
  isFirstInLine: (id: string, machines: readonly string[]) => boolean,
  state = new ClaimState(),
): { claims: Claim<S>[]; waits: Wait<S>[] } {
  const claims: Claim<S>[] = [];
  const waits: Wait<S>[] = [];
  for (const { id, roles, sameLabels } of queue) {
    const left = roles.map((seats) => seats.filter(({ machine }) => !state.has(machine)));
    const seats = chooseSeats(left, sameLabels, (agent) => state.left(slotsOf(agent), agent));
    if (seats === null) continue;
    if (seats.every(({ isFree }) => isFree) && fitsFree(seats, state, slotsOf)) {
      claims.push({ id, seats });
      for (const seat of seats) state.take(seat);
      continue;
    }
    if (roles.length === 1) continue;
    waits.push({ id, seats });
    const busy = seats.filter(({ isFree }) => !isFree).map(({ machine }) => machine);
    if (!busy.some((machine) => state.isWanted(machine)) && isFirstInLine(id, busy)) {
      for (const seat of seats) state.take(seat);
    } else {
      state.want(left.flat().map(({ machine }) => machine));
    }
  }
  return { claims, waits };
}

/** Whether the agents can take these tests on now. */
function fitsFree(seats: readonly Seat[], state: ClaimState, slotsOf: (agent: string) => AgentSlots): boolean {
  const needed = new Map<string, number>();
  for (const { agent } of seats) needed.set(agent, (needed.get(agent) ?? 0) + 1);
  return [...needed].every(([agent, count]) => count <= state.left(slotsOf(agent), agent).free);
}
