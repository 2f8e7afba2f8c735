import { TEST_ID_MAX } from '../../schema/metric.js';
import { cleanText } from '../../schema/text.js';
import { type DialectEnd, type DialectEvent, type SuiteExit, withoutTests } from './dialect.js';

export type TestStatus = Extract<DialectEvent, { type: 'result' }>['status'];

/** Characters of a line that are looked at. */
export const LINE_MAX = 4096;
/** Longest reason, in characters. */
const REASON_KEPT = 600;

/** A line as readers look at it: cut, without colours and the carriage return. */
export function plainLine(text: string): string {
  const line = text.slice(0, LINE_MAX);
  // A colour has a number or two; what is longer stays, and is no keyword of any dialect.
  // eslint-disable-next-line no-control-regex
  return line.replace(/\u001b\[[0-9;]{0,16}m/g, '').replace(/\r$/, '');
}

/** A reason on one line. */
export const shortReason = (text: string): string => cleanText(text.trim().replace(/[\r\n\t]+/g, ' '), REASON_KEPT);

const nameOf = (test: string): string => cleanText(test.trim(), TEST_ID_MAX) || 'unnamed';

/** Counts the results of tests that have names, and says what is wrong with the whole. */
export class NamedTests {
  #results = 0;
  #failed = 0;

  get count(): number {
    return this.#results;
  }

  result(test: string, status: TestStatus, reason: string | null = null): DialectEvent {
    this.#results += 1;
    if (status === 'fail') this.#failed += 1;
    return {
      type: 'result',
      test: nameOf(test),
      status,
      reason: reason === null ? null : shortReason(reason),
    };
  }

  /** A test has ended, and its result is still to come. */
  ended(test: string): DialectEvent {
    return { type: 'ended', test: nameOf(test) };
  }

  /**
   * What the suite itself gets beside its tests: a failure where the output does not prove that all of them ran, no result
   * where it ran none.
   * @param total how many tests the program says there were, at its end; null = it did not say
   */
  whole(exit: SuiteExit, total: number | null): DialectEnd['whole'] {
    const { code, how } = exit;
    const fail = (reason: string): DialectEnd['whole'] => ({
      status: 'fail',
      reason: `${reason}: the test program ${how}`,
    });
    if (code === null) return { status: 'fail', reason: `the test program ${how}` };
    if (total === null && this.#results === 0) return withoutTests(exit, 'its output has no test');
    if (total === null) return fail('its output has no summary');
    if (total === 0 && this.#results === 0) return { ...withoutTests(exit, 'it ran no test'), status: 'no-result' };
    if (this.#results < total) return fail(`${total - this.#results} of ${total} tests have no result`);
    if (code !== 0 && this.#failed === 0) return fail('no test failed');
    return null;
  }
}
