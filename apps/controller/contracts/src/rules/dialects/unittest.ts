import { type DialectEnd, type DialectEvent, type DialectReader, type SuiteExit, withoutFiles } from './dialect.js';
import { NamedTests, plainLine, type TestStatus } from './named-tests.js';

const SEPARATOR = ' ... ';
/** Failures that wait for their reason. */
const WAITING_MAX = 5000;
/** What stands for a module that could not be imported: a test of this class. */
const NOT_IMPORTED = 'unittest.loader._FailedTest/';

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
 * The output of Python's unittest with `-v`, such as that of pyverbs: results, their reasons, and `Ran 3 tests`. Reasons of
 * failures stand behind all results, so that failures wait for the end.
 */
export class UnittestReader implements DialectReader {
  readonly #tests = new NamedTests();
  /** Announced, without a result yet. */
  #running: string | null = null;
  readonly #waiting = new Map<string, string | null>();
  /** The failure whose traceback is being read: its exception so far, whether the line before was a frame, and lines of dashes since its name. */
  #block: { test: string; exception: string | null; isFrame: boolean; rules: number } | null = null;
  #total: number | null = null;
  /** Its last line says that all is well. */
  #verdict: 'OK' | 'FAILED' | null = null;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    this.#traceback(line);
    const ran = /^Ran (\d{1,7}) tests? in /.exec(line);
    if (ran !== null) {
      this.#total = Number(ran[1]);
      return [];
    }
    if (this.#total !== null && /^(OK|FAILED)( |$)/.test(line)) {
      this.#verdict = line.startsWith('OK') ? 'OK' : 'FAILED';
      return [];
    }
    const at = line.lastIndexOf(SEPARATOR);
    const before = at === -1 ? line : line.slice(0, at);
    // What a test prints may stand between its name and its status.
    const name = testName(before);
    const events: DialectEvent[] = [];
    if (name !== null && !/^(FAIL|ERROR): /.test(line)) {
      if (this.#running !== null) events.push(this.#tests.result(this.#running, 'fail', 'it has no result'));
      this.#running = name;
    }
    const found = statusOf(at === -1 ? line : line.slice(at + SEPARATOR.length));
    if (found === null || this.#running === null) return events;
    const test = this.#running;
    this.#running = null;
    if (found.status === 'fail' && found.reason === null && this.#waiting.size < WAITING_MAX) {
      this.#waiting.set(test, null);
      events.push(this.#tests.ended(test));
    } else events.push(this.#tests.result(test, found.status, found.reason));
    return events;
  }

  end(exit: SuiteExit): DialectEnd {
    this.#endBlock();
    const unread = new Map<string, string | null>();
    const events: DialectEvent[] = [];
    for (const [test, reason] of this.#waiting) {
      if (test.startsWith(NOT_IMPORTED)) unread.set(test.slice(NOT_IMPORTED.length), reason);
      else events.push(this.#tests.result(test, 'fail', reason));
    }
    if (this.#running !== null)
      events.push(this.#tests.result(this.#running, 'fail', `the test program ${exit.how} in the middle of this test`));
    const whole =
      unread.size > 0 ? withoutFiles(exit, unread, this.#tests.count) : this.#tests.whole(exit, this.#total);
    if (whole !== null || this.#verdict !== null) return { events, whole };
    return {
      events,
      whole: { status: 'fail', reason: `its output ends before OK or FAILED: the test program ${exit.how}` },
    };
  }

  /**
   * `FAIL: test_a (tests.test_x.Class)`, a rule, a traceback, and a rule or the next of them. The reason is the line
   * behind the frames: a message may have more lines. Of several exceptions that led to each other the last one counts.
   */
  #traceback(line: string): void {
    const name = /^(?:FAIL|ERROR): /.exec(line);
    const test = name === null ? null : testName(line.slice(name[0].length));
    if (test !== null) {
      this.#endBlock();
      this.#block = { test, exception: null, isFrame: false, rules: 0 };
    } else if (this.#block === null) return;
    else if (/^={20}/.test(line)) this.#endBlock();
    else if (/^-{20}/.test(line)) {
      this.#block.rules += 1;
      if (this.#block.rules === 2) this.#endBlock();
    } else if (line.startsWith(' ')) this.#block.isFrame = true;
    else if (line !== '') {
      if (this.#block.isFrame || this.#block.exception === null) this.#block.exception = line;
      this.#block.isFrame = false;
    }
  }

  #endBlock(): void {
    const block = this.#block;
    this.#block = null;
    if (block !== null && this.#waiting.get(block.test) === null) this.#waiting.set(block.test, block.exception);
  }
}
