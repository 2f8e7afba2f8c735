/** A job that waits. Times in milliseconds from now; Infinity = nobody knows. */
export interface WaitingWork {
  id: string;
  /** Which it needs for itself; null = a slot is enough. */
  machine: string | null;
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

/**
 * When each job would start if nothing else came: milliseconds from now by id, Infinity where it cannot be
 * said. Plays dispatch forward: whenever something ends or gets ready, the first job in the line whose
 * machine is free starts, as long as there is a slot.
 * @param waiting in the order in which they are taken
 * @param slots how much runs at once on the machines together; Infinity = no limit but the machines
 */
export function forecastStarts(
  waiting: readonly WaitingWork[],
  running: readonly RunningWork[],
  slots: number,
): Map<string, number> {
  const starts = new Map<string, number>();
  let pending = [...waiting];
  let busy = running.map(({ machine, leftMs }) => ({ machine, untilMs: atLeastOneMs(leftMs) }));
  let nowMs = 0;
  while (pending.length > 0) {
    busy = busy.filter(({ untilMs }) => untilMs > nowMs);
    pending = pending.filter((work) => {
      const isTaken = work.machine !== null && busy.some(({ machine }) => machine === work.machine);
      if (work.readyInMs > nowMs || isTaken || busy.length >= slots) return true;
      // A slot that nobody knows the end of could have come free before.
      const isSure = nowMs === 0 || slots === Infinity || busy.every(({ untilMs }) => untilMs < Infinity);
      starts.set(work.id, isSure ? nowMs : Infinity);
      busy.push({ machine: work.machine, untilMs: nowMs + atLeastOneMs(work.durationMs) });
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
