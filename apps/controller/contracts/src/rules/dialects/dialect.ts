import { type Metric, REASON_MAX } from '../../schema/metric.js';
import { cleanText } from '../../schema/text.js';

/** What a reader finds in the output of a suite. */
export type DialectEvent =
  | { type: 'result'; test: string; status: 'pass' | 'fail' | 'skip'; reason: string | null }
  | { type: 'metric'; metric: Metric }
  /** A test has ended; its result comes later, with its reason. What the kernel says from here on belongs to the next one. */
  | { type: 'ended'; test: string };

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

/** The result of a suite of which some files could not be read or imported, with the first: tests of them are not known. */
export function withoutFiles(exit: SuiteExit, unread: ReadonlyMap<string, string | null>, results: number): WholeSuite {
  const [[file, why] = ['', null]] = unread;
  const others = unread.size > 1 ? ` and ${unread.size - 1} more` : '';
  const reason = `the tests of ${file}${others} could not be read: ${why ?? `the test program ${exit.how}`}`;
  return { status: results === 0 && exit.code !== null ? 'no-result' : 'fail', reason: cleanText(reason, REASON_MAX) };
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
