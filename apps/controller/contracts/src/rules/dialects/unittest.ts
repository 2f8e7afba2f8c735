import type { DialectEnd, DialectEvent, DialectReader, SuiteExit } from './dialect.js';
import { NamedTests, plainLine, type TestStatus } from './named-tests.js';

const SEPARATOR = ' ... ';
/** Failures that wait for their reason. */
const WAITING_MAX = 5000;

/** The status that a text says, with the reason of a skip; null when it is none. */
function statusOf(text: string): { status: TestStatus; reason: string | null } | null {
  const word = text.trim();
  switch (word) {
    case 'ok':
      return { status: 'pass', reason: null };
    case 'FAIL':
    case 'ERROR':
      return { status: 'fail', reason: null };
    case 'expected failure':
      return { status: 'skip', reason: word };
    case 'unexpected success':
      return { status: 'fail', reason: word };
    default:
      return word.startsWith('skipped ')
        ? { status: 'skip', reason: word.slice(8).replace(/^(['"])(.*)\1$/, '$2') }
        : null;
  }
}

/** `test_a (tests.test_x.Class)` or, from Python 3.11 on, `test_a (tests.test_x.Class.test_a)`, as a path; null for another text. */
function testName(text: string): string | null {
  const open = text.indexOf(' (');
  const close = text.indexOf(')', open);
  if (open < 1 || close === -1) return null;
  const [test, place] = [text.slice(0, open), text.slice(open + 2, close)];
  if (!/^[A-Za-z_]\w*$/.test(test) || !/^[\w.]+$/.test(place)) return null;
  return `${place.endsWith(`.${test}`) ? place.slice(0, -test.length - 1) : place}/${test}`;
}

/**
 * The output of Python's unittest with `-v`, such as that of pyverbs: results, and `Ran 3 tests`. Reasons of failures
 * stand behind all results, in their tracebacks, so that failures wait for the end.
 */
export class UnittestReader implements DialectReader {
  readonly #tests = new NamedTests();
  readonly #waiting = new Map<string, string | null>();
  /** Of a traceback that is being read. */
  #traceback: { name: string; isFrame: boolean } | null = null;
  /** Announced, without a result yet. */
  #running: string | null = null;
  #total: number | null = null;
  /** Its last line says that all is well. */
  #verdict: 'OK' | 'FAILED' | null = null;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    const ran = /^Ran (\d{1,7}) tests? in /.exec(line);
    if (ran !== null) {
      this.#total = Number(ran[1]);
      return [];
    }
    if (this.#total !== null && /^(OK|FAILED)( |$)/.test(line)) {
      this.#verdict = line.startsWith('OK') ? 'OK' : 'FAILED';
      return [];
    }
    const heading = /^(?:FAIL|ERROR): (.*)/.exec(line);
    const failed = heading === null ? null : testName(heading[1] ?? '');
    if (failed !== null) {
      this.#traceback = { name: failed, isFrame: false };
      return [];
    }
    this.#reason(line);
    const at = line.lastIndexOf(SEPARATOR);
    const before = at === -1 ? line : line.slice(0, at);
    // What a test prints may stand between its name and its status.
    const name = testName(before);
    const events: DialectEvent[] = [];
    if (name !== null) {
      if (this.#running !== null) events.push(this.#tests.result(this.#running, 'fail', 'it has no result'));
      this.#running = name;
    }
    const found = statusOf(at === -1 ? line : line.slice(at + SEPARATOR.length));
    if (found === null || this.#running === null) return events;
    if (found.status === 'fail' && found.reason === null && this.#waiting.size < WAITING_MAX)
      this.#waiting.set(this.#running, null);
    else events.push(this.#tests.result(this.#running, found.status, found.reason));
    this.#running = null;
    return events;
  }

  /** The exception stands behind the frames of its traceback; of several that led to each other, the last one counts. */
  #reason(line: string): void {
    if (this.#traceback === null) return;
    const { name, isFrame } = this.#traceback;
    this.#traceback.isFrame = line.startsWith(' ');
    if (isFrame && /^\S/.test(line) && this.#waiting.has(name)) this.#waiting.set(name, line);
  }

  end(exit: SuiteExit): DialectEnd {
    const events = [...this.#waiting].map(([test, reason]) => this.#tests.result(test, 'fail', reason));
    if (this.#running !== null)
      events.push(this.#tests.result(this.#running, 'fail', `the test program ${exit.how} in the middle of this test`));
    const whole = this.#tests.whole(exit, this.#total);
    if (whole !== null || this.#verdict !== null) return { events, whole };
    return {
      events,
      whole: { status: 'fail', reason: `its output ends before OK or FAILED: the test program ${exit.how}` },
    };
  }
}
