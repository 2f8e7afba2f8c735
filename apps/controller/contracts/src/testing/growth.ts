/** Of Node.js, where tests run; contracts themselves need nothing of it. */
declare const process: { cpuUsage: () => { user: number; system: number } };

/**
 * Shorter work says little: there the parts that grow faster hide behind those that do not. The input is enlarged
 * until it takes longer, in milliseconds.
 */
const MEASURED_MS = 100;
/** Largest input, in characters; what is quadratic takes longer far below it. */
const SIZE_MAX = 1024 * 1024;
const SIZE_MIN = 4096;
/** Measurements of one size; the shortest counts, as only disturbances make it longer. */
const RUNS = 2;

export interface Growth {
  /** Characters of the small input; the large one has four times as many. */
  size: number;
  smallMs: number;
  largeMs: number;
  /** How many times longer it takes for each doubling: 2 is linear, 4 is quadratic. */
  perDoubling: number;
}

/**
 * Measures how the time of some work grows with its input. `inputOf` makes the worst input of a number of
 * characters. What counts is time on a processor, so that other work of the computer does not. Work that is fast
 * even on the largest input counts as constant.
 */
export function growthOf(inputOf: (size: number) => string, work: (input: string) => unknown): Growth {
  let size = SIZE_MIN;
  let smallMs = leastMs(inputOf(size), work);
  while (smallMs < MEASURED_MS && size < SIZE_MAX) {
    size *= 4;
    smallMs = leastMs(inputOf(size), work);
  }
  const largeMs = leastMs(inputOf(4 * size), work);
  return { size, smallMs, largeMs, perDoubling: Math.sqrt(largeMs / Math.max(smallMs, MEASURED_MS)) };
}

function leastMs(input: string, work: (input: string) => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const before = process.cpuUsage();
    work(input);
    const after = process.cpuUsage();
    least = Math.min(least, (after.user + after.system - before.user - before.system) / 1000);
  }
  return least;
}
