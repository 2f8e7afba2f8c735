import { chooseSeats } from '@peerlab/contracts';

/** A job that waits. Times in milliseconds from now; Infinity = unknown. */
export interface WaitingWork {
  id: string;
  /** Any of these will do; none where a slot is enough. The same array stands for the same machines. */
  machines: readonly string[];
  /** Of a job with several roles: what each may have, and `machines` is all of them. */
  roles?: readonly (readonly string[])[] | undefined;
  /** How long it is expected to take. */
  durationMs: number;
  /** It cannot start before, e.g. because of its build. */
  readyInMs: number;
}

/** An attempt that runs, and how long it is expected to go on, in milliseconds. */
export interface RunningWork {
  machine: string | null;
  leftMs: number;
}

/** How much runs at once: by machine the group that it shares slots with, and how many that one has. */
export interface Slots {
  groupOf: (machine: string | null) => string;
  /** Infinity = no limit but the machines. */
  of: (group: string) => number;
}

/** Only one group, with so many slots. */
export const sharedSlots = (slots: number): Slots => ({ groupOf: () => '', of: () => slots });

/**
 * When each job would start if nothing else came: milliseconds from now by id, Infinity where it cannot be
 * said. Plays dispatch forward: whenever something ends or gets ready, the first job in the line of which a
 * machine is free starts, where there is a slot for it.
 * @param waiting in the order in which they are taken
 */
export function forecastStarts(
  waiting: readonly WaitingWork[],
  running: readonly RunningWork[],
  slots: Slots,
): Map<string, number> {
  const starts = new Map<string, number>();
  let pending = [...waiting];
  let busy = running.map(({ machine, leftMs }) => ({ machine, untilMs: atLeastOneMs(leftMs) }));
  let nowMs = 0;
  while (pending.length > 0) {
    busy = busy.filter(({ untilMs }) => untilMs > nowMs);
    const taken = new Set(busy.map(({ machine }) => machine));
    const used = new Map<string, number>();
    for (const { machine } of busy) add(used, slots.groupOf(machine));
    // Many jobs want the same machines: where one found none, the others find none.
    const full = new Set<readonly string[]>();
    const held = new Set<string>();
    pending = pending.filter((work) => {
      if (work.readyInMs > nowMs) return true;
      if (work.roles !== undefined) {
        const chosen = chosenFor(work.roles, { taken, held, used, slots });
        if (!chosen.isReady) {
          for (const machine of chosen.machines) held.add(machine);
          return true;
        }
        const isSure =
          nowMs === 0 ||
          busy.every(({ machine, untilMs }) => untilMs < Infinity || !work.machines.includes(machine ?? ''));
        starts.set(work.id, isSure ? nowMs : Infinity);
        for (const machine of chosen.machines) {
          busy.push({ machine, untilMs: nowMs + atLeastOneMs(work.durationMs) });
          taken.add(machine);
          add(used, slots.groupOf(machine));
        }
        return false;
      }
      if (full.has(work.machines)) return true;
      const choices = work.machines.length === 0 ? [null] : work.machines;
      const machine = choices.find((each) => {
        const group = slots.groupOf(each);
        return (each === null || !(taken.has(each) || held.has(each))) && (used.get(group) ?? 0) < slots.of(group);
      });
      if (machine === undefined) {
        full.add(work.machines);
        return true;
      }
      const group = slots.groupOf(machine);
      // A slot or a machine of which the end is not known could have come free before.
      const isSure =
        nowMs === 0 ||
        busy.every(
          ({ machine: other, untilMs }) =>
            untilMs < Infinity ||
            ((slots.of(group) === Infinity || slots.groupOf(other) !== group) &&
              (other === null || !work.machines.includes(other))),
        );
      starts.set(work.id, isSure ? nowMs : Infinity);
      busy.push({ machine, untilMs: nowMs + atLeastOneMs(work.durationMs) });
      if (machine !== null) taken.add(machine);
      add(used, group);
      return false;
    });
    const nextMs = Math.min(
      ...busy.map(({ untilMs }) => untilMs),
      ...pending.map(({ readyInMs }) => (readyInMs > nowMs ? readyInMs : Infinity)),
    );
    if (nextMs === Infinity) break;
    nowMs = nextMs;
  }
  for (const { id } of pending) starts.set(id, Infinity);
  return starts;
}

/** Machines for a job with several roles, and whether all are free; while they are not, those behind leave them alone. */
function chosenFor(
  roles: readonly (readonly string[])[],
  {
    taken,
    held,
    used,
    slots,
  }: { taken: ReadonlySet<string | null>; held: ReadonlySet<string>; used: ReadonlyMap<string, number>; slots: Slots },
): { machines: string[]; isReady: boolean } {
  const seats = chooseSeats(
    roles.map((names) =>
      names
        .filter((machine) => !held.has(machine))
        .map((machine) => ({ machine, agent: slots.groupOf(machine), labels: {}, isFree: !taken.has(machine) })),
    ),
    [],
    (group) => ({ free: slots.of(group) - (used.get(group) ?? 0), total: slots.of(group) }),
  );
  if (seats === null) return { machines: [], isReady: false };
  const needed = new Map<string, number>();
  for (const { agent } of seats) add(needed, agent);
  const fits = [...needed].every(([group, count]) => count + (used.get(group) ?? 0) <= slots.of(group));
  return { machines: seats.map(({ machine }) => machine), isReady: fits && seats.every(({ isFree }) => isFree) };
}

const add = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

const atLeastOneMs = (ms: number): number => Math.max(1, ms);

/** How long an attempt took that ran these suites, in milliseconds. */
export interface DurationSample {
  machine: string;
  suites: readonly string[];
  ms: number;
}

/**
 * Expected duration of suites on a machine: the median of the samples of the same suites there, else
 * anywhere; Infinity without any.
 */
export function durationsBySuites(
  samples: readonly DurationSample[],
): (machine: string, suites: readonly string[]) => number {
  const known = new Map<string, number[]>();
  const add = (key: string, ms: number): void => void known.set(key, [...(known.get(key) ?? []), ms]);
  for (const { machine, suites, ms } of samples) {
    add(suitesKey(suites), ms);
    add(`${machine} ${suitesKey(suites)}`, ms);
  }
  return (machine, suites) =>
    medianMs(known.get(`${machine} ${suitesKey(suites)}`) ?? known.get(suitesKey(suites)) ?? []);
}

const suitesKey = (suites: readonly string[]): string => suites.toSorted().join(',');

/** Median; Infinity of nothing. */
export function medianMs(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? Infinity : (low + high) / 2;
}

/** What is left of an attempt that should take `expectedMs`; one that is late ends soon, but not at once. */
export function leftMs(expectedMs: number, elapsedMs: number): number {
  return Math.max(expectedMs - elapsedMs, expectedMs * LATE_SHARE);
}
const LATE_SHARE = 0.1;
