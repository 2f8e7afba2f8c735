/** Of Node.js, where tests run; contracts themselves need nothing of it. */
declare const process: { cpuUsage: () => { user: number; system: number } };

/**
 * Shorter work says little: there the parts that grow faster hide behind those that do not. The input is enlarged
 * until it takes longer, in milliseconds.
 */
const MEASURED_MS = 100;
/** Largest size of an input, in characters for a text; what is quadratic takes longer far below it. */
const SIZE_MAX = 1024 * 1024;
const SIZE_MIN = 4096;
/** Measurements of one size; the shortest counts, as only disturbances make it longer. */
const RUNS = 2;
/**
 * Growth per doubling from which both sizes are measured again: the collection of garbage counts as well, on threads
 * of its own, and where it comes is chance. What is quadratic stays so however often it is measured.
 */
const DOUBTFUL = 2.5;
const ROUNDS_MAX = 6;

export interface Growth {
  /** Size of the small input, in characters for a text; the large one has four times as many. */
  size: number;
  smallMs: number;
  largeMs: number;
  /** How many times longer it takes for each doubling: 2 is linear, 4 is quadratic. */
  perDoubling: number;
}

/**
 * Measures how the time of some work grows with its input. `inputOf` makes the worst input of a size, which for a
 * text is its characters; `work` may give a promise, which is awaited. What counts is time on a processor, so that other work of the computer does not. Work that is fast
 * even on the largest input counts as constant.
 */
export async function growthOf<Input>(
  inputOf: (size: number) => Input,
  work: (input: Input) => unknown,
): Promise<Growth> {
  let size = SIZE_MIN;
  let smallMs = await leastMs(inputOf(size), work);
  while (smallMs < MEASURED_MS && size < SIZE_MAX) {
    size *= 4;
    smallMs = await leastMs(inputOf(size), work);
  }
  let largeMs = await leastMs(inputOf(4 * size), work);
  for (let round = 1; round < ROUNDS_MAX && perDoubling(smallMs, largeMs) >= DOUBTFUL; round += 1) {
    smallMs = Math.min(smallMs, await leastMs(inputOf(size), work));
    largeMs = Math.min(largeMs, await leastMs(inputOf(4 * size), work));
  }
  return { size, smallMs, largeMs, perDoubling: perDoubling(smallMs, largeMs) };
}

function perDoubling(smallMs: number, largeMs: number): number {
  return Math.sqrt(largeMs / Math.max(smallMs, MEASURED_MS));
}

async function leastMs<Input>(input: Input, work: (input: Input) => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const before = process.cpuUsage();
    await work(input);
    const after = process.cpuUsage();
    least = Math.min(least, (after.user + after.system - before.user - before.system) / 1000);
  }
  return least;
}
