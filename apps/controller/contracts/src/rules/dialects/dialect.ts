import type { Metric } from '../../schema/metric.js';

/** What a reader finds in the output of a suite. */
export type DialectEvent =
  | { type: 'result'; test: string; status: 'pass' | 'fail' | 'skip'; reason: string | null }
  | { type: 'metric'; metric: Metric };

/** How the program of a suite ended; `code` null = by a signal. */
export interface SuiteExit {
  code: number | null;
  /** In words: `exited with 3`. */
  how: string;
}

/** What is known when a suite has ended. */
export interface DialectEnd {
  events: DialectEvent[];
  /** The result of the suite itself; null where its tests say everything. */
  whole: WholeSuite | null;
}

/** The result of a suite itself. */
export interface WholeSuite {
  status: 'pass' | 'fail' | 'skip' | 'no-result';
  reason: string | null;
}

/** Exit statuses by which a shell says that there is no such program, or that it cannot be started. */
const NOT_STARTED: ReadonlySet<number | null> = new Set([126, 127]);

/**
 * The result of a suite whose output has no test. One that failed or was killed may have met a fault of the kernel; one that
 * ended well, or whose program was not there, tested nothing: that is neither a finding nor a pass.
 */
export function withoutTests({ code, how }: SuiteExit, reason: string): WholeSuite {
  const ranNone = code === 0 || NOT_STARTED.has(code);
  return { status: ranNone ? 'no-result' : 'fail', reason: `${reason}: the test program ${how}` };
}

/** Whether a program did not even start, by its exit status. */
export const wasNotStarted = ({ code }: Pick<SuiteExit, 'code'>): boolean => NOT_STARTED.has(code);

/**
 * Reads the output of one suite, line by line. What it reads comes from the kernel under test: readers take time in
 * proportion to a line, keep a bounded state, and never throw. Output that ends too early gives no pass.
 */
export interface DialectReader {
  /** A file in the suite's folder that has the results; its text is given to `file` before the end. */
  readonly resultsFile?: string;
  file?(text: string): void;
  line(text: string): DialectEvent[];
  end(exit: SuiteExit): DialectEnd;
}

/** Exit status by which kselftest says that a test was skipped. */
export const EXIT_SKIP = 4;
