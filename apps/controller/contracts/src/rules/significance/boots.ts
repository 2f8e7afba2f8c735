/** What one boot (an attempt that booted a machine) measured of a metric. */
export interface Boot {
  attempt: string;
  run: string;
  machine: string;
  /** The median of the boot's samples: samples of one boot share its luck and are no independent evidence. */
  value: number;
}

/** Below so many boots on a side there is no verdict. */
export const BOOTS_MIN = 3;
/** Level of the tests, and share of the pages of which some badge may be false. */
export const LEVEL = 0.05;
/** A smaller relative change is never badged, however certain it is: 1 %. */
export const RELEVANCE = 0.01;
/** Boots that a page asks for at most; more are never needed for a test to be possible. */
const BOOTS_ASKED_MAX = 20;

/** The median: the mean of the middle two for an even count. Needs one value at least, all finite. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((x, y) => x - y);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error('no value has no median');
  return low + (high - low) / 2;
}

/** Boots of both sides on one machine. */
export interface Shares {
  a: number;
  b: number;
}

/**
 * Smallest p-value that a two-sided permutation test can have: one over the number of ways to deal the boots of each
 * machine out to the sides, of which two mirrored ones count as one.
 */
export function leastP(machines: readonly Shares[]): number {
  let ways = 1;
  for (const { a, b } of machines) ways *= choose(a + b, Math.min(a, b));
  return machines.every(({ a, b }) => a === b) ? Math.min(1, 2 / ways) : 1 / ways;
}

function choose(n: number, k: number): number {
  let ways = 1;
  for (let index = 1; index <= k; index += 1) ways = (ways * (n - k + index)) / index;
  return ways;
}

/**
 * How many more boots each side needs on one machine before a verdict is possible at all: three boots a side, and enough
 * for the smallest p-value to reach LEVEL. 0 = possible already. Of 1 and 1: 3; of 3 and 3: 1; of 3 and 4: 0.
 */
export function moreBootsNeeded({ a, b }: Shares): number {
  for (let more = 0; more < BOOTS_ASKED_MAX; more += 1) {
    const [left, right] = [a + more, b + more];
    if (Math.min(left, right) >= BOOTS_MIN && leastP([{ a: left, b: right }]) <= LEVEL) return more;
  }
  return BOOTS_ASKED_MAX;
}
