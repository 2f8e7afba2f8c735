/**
 * What is kept of what a suite prints. A suite runs on the kernel under test, as root of its machine: it may print
 * anything. Each limit is far above what the farm's suites do, and what is beyond it is counted and said.
 */

/**
 * Lines of plain output kept of one test. A comparison that fails for every word of a page prints
 * thousands; far beyond that, further lines cost work and help no reader.
 */
export const LINES_KEPT = 10_000;
/** Bytes of output kept of one test: a line may be long. */
export const TEST_BYTES_KEPT = 16 * 1024 * 1024;
/** Output kept of one suite, over all its tests; an eighth of the spool's default space. */
export const SUITE_LINES_KEPT = 250_000;
export const SUITE_BYTES_KEPT = 256 * 1024 * 1024;
/** Lines with a meaning (announcements, results, proofs, metrics) that are kept of one suite beyond the others. */
export const MEANINGFUL_LINES_KEPT = 20_000;

/** Measurements that are recorded; p2p-perf makes 40 in its largest test. Each is an event and a row. */
export const METRICS_PER_TEST = 500;
export const METRICS_PER_SUITE = 5_000;
export const METRICS_PER_ATTEMPT = 20_000;
/** Samples of one measurement; p2p-perf takes 11. */
export const SAMPLES_KEPT = 1_000;
/** Titles of kernel warnings that one result carries; all of them stand in the kernel's log. */
export const WARNINGS_PER_TEST = 20;
/** Announcements that are followed; a suite of 5000 tests may be run four times, after crashes. */
export const ANNOUNCEMENTS_PER_SUITE = 20_000;
/** Notes about malformed lines, and about bail-outs. */
export const NOTES_PER_SUITE = 20;

/** Counts what was taken over several suites. */
export class Quota {
  #taken = 0;

  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether one more is within the limit. */
  takes(): boolean {
    this.#taken += 1;
    return this.#taken <= this.#limit;
  }
}
