import type { Labels } from '../schema/ids.js';

/** A machine that a role of a waiting job may have. */
export interface Seat {
  machine: string;
  agent: string;
  labels: Labels;
  /** Nothing runs on it; otherwise it comes free when that has ended. */
  isFree: boolean;
}

/** Tests that an agent can still take on now, and at most; Infinity = no limit but its machines. */
export interface AgentSlots {
  free: number;
  total: number;
}

/**
 * One machine for each role, all different, with one value of each of the labels, within the slots of their agents: free ones
 * with free slots where all roles can have such, and else as many free ones as possible (where agents limit their tests:
 * nearly as many). Null when there is no such choice even if everything that runs had ended.
 * @param roles the machines that each role may have, the preferred ones first
 */
export function chooseSeats<S extends Seat>(
  roles: readonly (readonly S[])[],
  sameLabels: readonly string[],
  slotsOf: (agent: string) => AgentSlots,
): S[] | null {
  let best: { seats: S[]; free: number } | null = null;
  for (const group of groupsOf(roles, sameLabels)) {
    const found = matchGroup(group, slotsOf);
    if (found !== null && (best === null || found.free > best.free)) best = found;
    if (best?.free === roles.length) break;
  }
  return best?.seats ?? null;
}

/** The machines of each role by the values of the labels; machines that lack one of them are in no group. */
function groupsOf<S extends Seat>(roles: readonly (readonly S[])[], sameLabels: readonly string[]): S[][][] {
  if (sameLabels.length === 0) return [roles.map((seats) => [...seats])];
  const groups = new Map<string, S[][]>();
  for (const [role, seats] of roles.entries()) {
    for (const seat of seats) {
      const values = sameLabels.map((label) => seat.labels[label]);
      if (values.includes(undefined)) continue;
      const key = JSON.stringify(values);
      const group = groups.get(key) ?? roles.map(() => []);
      groups.set(key, group);
      group[role]?.push(seat);
    }
  }
  return [...groups.values()];
}

/** First with what is free, then with all: a role that has a free machine keeps one, so that the free ones only grow. */
function matchGroup<S extends Seat>(
  roles: readonly (readonly S[])[],
  slotsOf: (agent: string) => AgentSlots,
): { seats: S[]; free: number } | null {
  if (roles.some((seats) => seats.length === 0)) return null;
  const matching = new Matching<S>();
  const free = roles.map((seats) => seats.filter(({ isFree }) => isFree));
  const total = (agent: string): number => slotsOf(agent).total;
  for (const role of roles.keys()) matching.extend(role, free, (agent) => slotsOf(agent).free);
  for (const role of roles.keys()) {
    const isPlaced =
      matching.has(role) ||
      matching.extend(role, roles, total, { keepsFree: true }) ||
      matching.extend(role, roles, total);
    if (!isPlaced) return null;
  }
  const seats = matching.seats(roles.length);
  return { seats, free: seats.filter(({ isFree }) => isFree).length };
}

/** Roles on machines, by augmenting paths: a role gets its place where others can move, and nobody loses one. */
class Matching<S extends Seat> {
  readonly #seatOf = new Map<number, S>();
  readonly #roleOn = new Map<string, number>();
  readonly #used = new Map<string, number>();

  has(role: number): boolean {
    return this.#seatOf.has(role);
  }

  seats(roles: number): S[] {
    return Array.from({ length: roles }, (_, role) => this.#seatOf.get(role)).filter((seat) => seat !== undefined);
  }

  /** @param keepsFree no free machine is given up for a slot of its agent; @returns whether the role has a machine now */
  extend(
    role: number,
    seats: readonly (readonly S[])[],
    capacityOf: (agent: string) => number,
    { keepsFree } = { keepsFree: false },
  ): boolean {
    // Each is looked at once: what it led to, it would lead to again.
    const [movers, machines, agents] = [new Set<number>(), new Set<string>(), new Set<string>()];
    const isNew = (agent: string): boolean => !agents.has(agent) && agents.add(agent).has(agent);
    const leaves = (owner: number, seat: S): boolean => !(keepsFree && seat.isFree) && place(owner);
    const place = (moving: number): boolean => {
      if (movers.has(moving)) return false;
      movers.add(moving);
      for (const seat of seats[moving] ?? []) {
        if (machines.has(seat.machine) || this.#roleOn.get(seat.machine) === moving) continue;
        machines.add(seat.machine);
        const owner = this.#roleOn.get(seat.machine);
        const hasRoom =
          owner === undefined
            ? this.#hasSlot(seat.agent, capacityOf) ||
              (isNew(seat.agent) && this.#leaves(seat.agent, leaves, capacityOf))
            : place(owner);
        if (!hasRoom) continue;
        this.#put(moving, seat);
        return true;
      }
      return false;
    };
    return place(role);
  }

  /** Whether one of the roles on machines of the agent goes to another agent. */
  #leaves(agent: string, leaves: (role: number, seat: S) => boolean, capacityOf: (agent: string) => number): boolean {
    const own = [...this.#seatOf].filter(([, seat]) => seat.agent === agent);
    return own.some(([role, seat]) => leaves(role, seat)) && this.#hasSlot(agent, capacityOf);
  }

  #hasSlot(agent: string, capacityOf: (agent: string) => number): boolean {
    return (this.#used.get(agent) ?? 0) < capacityOf(agent);
  }

  #put(role: number, seat: S): void {
    const left = this.#seatOf.get(role);
    if (left !== undefined) {
      if (this.#roleOn.get(left.machine) === role) this.#roleOn.delete(left.machine);
      this.#used.set(left.agent, (this.#used.get(left.agent) ?? 0) - 1);
    }
    this.#seatOf.set(role, seat);
    this.#roleOn.set(seat.machine, role);
    this.#used.set(seat.agent, (this.#used.get(seat.agent) ?? 0) + 1);
  }
}
