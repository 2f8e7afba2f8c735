import type { DialectEnd, DialectEvent, DialectReader, SuiteExit } from './dialect.js';
import { NamedTests, plainLine, type TestStatus } from './named-tests.js';

const WORDS: Readonly<Record<string, TestStatus>> = { OK: 'pass', FAILED: 'fail', SKIPPED: 'skip' };

/** The output of GoogleTest. */
export class GtestReader implements DialectReader {
  readonly #tests = new NamedTests();
  #running: string | null = null;
  /** First failed expectation of the running test, or where it was skipped, and the line behind it. */
  #remarks: string[] = [];
  #total: number | null = null;
  /** The count of passed tests, which stands behind the total, was printed. */
  #isEnded = false;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    const tag = /^\[ {0,9}([A-Z=-]{2,10}) {0,9}\] (.*)$/.exec(line);
    if (tag === null) {
      if (this.#running !== null && (this.#remarks.length === 1 || /: (?:Failure|Skipped)$/.test(line)))
        this.#remark(line);
      return [];
    }
    const [, word = '', rest = ''] = tag;
    if (word === 'RUN') {
      const left =
        this.#running === null ? [] : [this.#tests.result(pathOf(this.#running), 'fail', 'it has no result')];
      this.#running = rest.trim();
      this.#remarks = [];
      return left;
    }
    if (/^=+$/.test(word)) {
      const ran = /^(\d{1,7}) tests? from .* ran\b/.exec(rest);
      if (ran !== null) this.#total = Number(ran[1]);
      return [];
    }
    if (word === 'PASSED') this.#isEnded = true;
    const status = WORDS[word];
    // The list behind the summary repeats what failed.
    if (status === undefined || this.#running === null || !isOf(rest, this.#running)) return [];
    const remarks = status === 'skip' ? this.#remarks.slice(1) : this.#remarks;
    const reason = status === 'pass' || remarks.length === 0 ? null : remarks.join(' ');
    const event = this.#tests.result(pathOf(this.#running), status, reason);
    this.#running = null;
    return [event];
  }

  end(exit: SuiteExit): DialectEnd {
    const events =
      this.#running === null
        ? []
        : [
            this.#tests.result(
              pathOf(this.#running),
              'fail',
              `the test program ${exit.how} in the middle of this test`,
            ),
          ];
    return { events, whole: this.#tests.whole(exit, this.#isEnded ? this.#total : null) };
  }

  #remark(line: string): void {
    if (this.#remarks.length < 2) this.#remarks.push(line.trim());
  }
}

/** `Suite.Test` as a path; a parameter stands behind a slash already. */
const pathOf = (test: string): string => test.replace('.', '/');

/** Whether `rest`, which may go on with a parameter and a time, begins with the name of the test. */
const isOf = (rest: string, test: string): boolean =>
  rest.startsWith(test) && (rest.length === test.length || /^[, (]/.test(rest.slice(test.length)));
