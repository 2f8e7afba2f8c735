import { type DialectEnd, type DialectEvent, type DialectReader, type SuiteExit, withoutFiles } from './dialect.js';
import { NamedTests, plainLine, type TestStatus } from './named-tests.js';

const WORDS: Readonly<Record<string, TestStatus>> = {
  PASSED: 'pass',
  FAILED: 'fail',
  ERROR: 'fail',
  SKIPPED: 'skip',
  XFAIL: 'skip',
  // Strict ones are FAILED; of the others pytest says that nothing failed.
  XPASS: 'pass',
};
/** Words of the last line that count tests; the others (warnings, deselected) do not. */
const COUNTED = new Set(['passed', 'failed', 'error', 'errors', 'skipped', 'xfailed', 'xpassed']);
/** A name, before what its test prints (`-s`, or a log that is shown live): its status comes in a later line. */
const ANNOUNCED = /^(\S{1,300}\.py::[^\s[]{1,300}(?:\[[^\]]{0,300}\])?)(?:\s|$)/;
/** Failures that wait for their reason. */
const WAITING_MAX = 5000;

/**
 * The output of `pytest -v`, also of its workers (`-n`). Reasons of failures stand behind the results, in the short
 * summary, so that failures wait for the end.
 */
export class PytestReader implements DialectReader {
  readonly #tests = new NamedTests();
  readonly #waiting = new Map<string, string | null>();
  /** Sub-tests that failed, which stand in the summary alone: their test may say PASSED. */
  readonly #subtests = new Map<string, string>();
  /** Announced, without a status so far; the last one is running. */
  readonly #open = new Set<string>();
  #running: string | null = null;
  /** Files that tests could not be read from, with the reason. */
  readonly #unread = new Map<string, string | null>();
  #total: number | null = null;
  #isSummary = false;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    if (line.startsWith('=')) {
      this.#section(line);
      return [];
    }
    if (this.#isSummary) {
      this.#reason(line);
      return [];
    }
    const found = resultOf(line) ?? this.#lateResult(line);
    if (found === null) return [];
    const { test, status, rest } = found;
    this.#open.delete(test);
    this.#running = null;
    if (status === 'fail' && this.#waiting.size < WAITING_MAX) {
      // An error in the teardown comes after the result of the test itself.
      this.#waiting.set(test, null);
      return [this.#tests.ended(pathOf(test))];
    }
    return [this.#tests.result(pathOf(test), status, status === 'skip' ? rest : null)];
  }

  end(exit: SuiteExit): DialectEnd {
    const events = [...this.#waiting].map(([test, reason]) => this.#tests.result(pathOf(test), 'fail', reason));
    for (const [test, reason] of this.#subtests) events.push(this.#tests.result(test, 'fail', reason));
    const { count } = this.#tests;
    return {
      events,
      whole: this.#unread.size > 0 ? withoutFiles(exit, this.#unread, count) : this.#tests.whole(exit, this.#total),
    };
  }

  /** The status of the running test, alone in its line or right behind what was printed without an end. */
  #lateResult(line: string): ReturnType<typeof resultOf> {
    const name = ANNOUNCED.exec(line)?.[1];
    if (name !== undefined && this.#open.size < WAITING_MAX) {
      this.#open.add(name);
      this.#running = name;
    }
    if (this.#running === null) return null;
    const text = line.replace(/\[ *\d{1,3}%\]$/, '').trimEnd();
    if (/[^\s]PASSED$/.test(text)) return { test: this.#running, status: 'pass', rest: null };
    const [word = ''] = text.split(' ', 1);
    const status = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
    const rest = text.slice(word.length + 1);
    if (status === undefined || (rest !== '' && !rest.startsWith('('))) return null;
    return { test: this.#running, status, rest: rest === '' ? null : rest.replace(/^\((.*)\)$/, '$1') };
  }

  /** `==== short test summary info ====`, `==== 3 passed, 1 failed in 0.12s ====`. */
  #section(line: string): void {
    const title = line.replace(/^=+/, '').replace(/=+$/, '').trim();
    this.#isSummary = title === 'short test summary info';
    const words = title.split(' in ')[0]?.split(', ') ?? [];
    const counts = words.map((word) => /^(\d{1,7}) ([a-z]{1,20}(?: [a-z]{1,20})?)$/.exec(word));
    if (title.startsWith('no tests ran')) this.#total = 0;
    else if (title.includes(' in ') && counts.length > 0 && counts.every((count) => count !== null)) {
      this.#total = counts.reduce((sum, [, number, word = '']) => sum + (COUNTED.has(word) ? Number(number) : 0), 0);
    }
  }

  /** `FAILED tests/test_a.py::test_b - AssertionError: why`. */
  #reason(line: string): void {
    const [word = '', test = ''] = line.split(' ', 2);
    const at = line.indexOf(' - ');
    if (word.startsWith('SUBFAILED')) this.#subtest(line, at === -1 ? line.length : at);
    if (WORDS[word] !== 'fail') return;
    const [name, reason] =
      at === -1 ? [line.slice(word.length + 1).trim(), null] : [line.slice(word.length + 1, at), line.slice(at + 3)];
    if (!test.includes('::')) {
      if (word === 'ERROR' && test !== '' && this.#unread.size < WAITING_MAX) this.#unread.set(name, reason);
      return;
    }
    if (this.#waiting.has(name) ? reason !== null : this.#open.delete(name)) this.#waiting.set(name, reason);
  }

  /** `SUBFAILED(i=1) tests/test_a.py::test_b - AssertionError: why`. @param end where the name ends */
  #subtest(line: string, end: number): void {
    const from = line.lastIndexOf(' ', line.indexOf('::')) + 1;
    if (from === 0 || from > end || this.#subtests.size >= WAITING_MAX) return;
    const which = line.slice('SUBFAILED'.length, from).trim();
    this.#subtests.set(`${pathOf(line.slice(from, end))} ${which}`.trim(), line.slice(end + 3));
  }
}

/** `tests/test_a.py::Class::test_b` as a path. */
const pathOf = (test: string): string => test.replaceAll('::', '/');

/** `tests/test_a.py::test_b PASSED [ 50%]`, `[gw0] [ 50%] PASSED tests/test_a.py::test_b`. */
function resultOf(line: string): { test: string; status: TestStatus; rest: string | null } | null {
  if (line.startsWith('[gw')) {
    const words = line.split(/\s+/).filter((word) => word !== '' && !word.endsWith('%]') && word !== '[');
    const [, word = '', test = ''] = words;
    const status = WORDS[word];
    return status === undefined || !test.includes('::') ? null : { test: words.slice(2).join(' '), status, rest: null };
  }
  for (const [word, status] of Object.entries(WORDS)) {
    const at = line.indexOf(` ${word}`);
    if (at === -1 || !line.slice(0, at).includes('::')) continue;
    const after = line.slice(at + word.length + 1);
    if (after !== '' && !after.startsWith(' ')) continue;
    const rest = after.replace(/\[ *\d{1,3}%\]$/, '').trim();
    return { test: line.slice(0, at), status, rest: rest === '' ? null : rest.replace(/^\((.*)\)$/, '$1') };
  }
  return null;
}
