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
 * One machine for each role, all different, with one value of each of the labels, within the slots of their agents; as
 * many of them free as possible, and the ones that stand first. Null when there is no such choice even if everything
 * that runs had ended.
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

/** First with what is free, then with all: whoever has a free machine keeps one, so that the free ones only grow. */
function matchGroup<S extends Seat>(
  roles: readonly (readonly S[])[],
  slotsOf: (agent: string) => AgentSlots,
): { seats: S[]; free: number } | null {
  if (roles.some((seats) => seats.length === 0)) return null;
  const matching = new Matching<S>();
  const free = roles.map((seats) => seats.filter(({ isFree }) => isFree));
  for (const role of roles.keys()) matching.extend(role, free, (agent) => slotsOf(agent).free);
  for (const role of roles.keys()) {
    if (!matching.has(role) && !matching.extend(role, roles, (agent) => slotsOf(agent).total)) return null;
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

  /** @returns whether the role has a machine now */
  extend(role: number, seats: readonly (readonly S[])[], capacityOf: (agent: string) => number): boolean {
    const [machines, agents] = [new Set<string>(), new Set<string>()];
    const place = (moving: number): boolean => {
      for (const seat of seats[moving] ?? []) {
        if (machines.has(seat.machine)) continue;
        machines.add(seat.machine);
        const owner = this.#roleOn.get(seat.machine);
        const hasRoom =
          owner === undefined
            ? this.#hasSlot(seat.agent, capacityOf) || this.#leaves(seat.agent, agents, place, capacityOf)
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
  #leaves(
    agent: string,
    seen: Set<string>,
    place: (role: number) => boolean,
    capacityOf: (agent: string) => number,
  ): boolean {
    if (seen.has(agent)) return false;
    seen.add(agent);
    const own = [...this.#seatOf].filter(([, seat]) => seat.agent === agent).map(([role]) => role);
    return own.some((role) => place(role)) && this.#hasSlot(agent, capacityOf);
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
