import type { DialectEnd, DialectEvent, DialectReader, SuiteExit } from './dialect.js';
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
    const found = resultOf(line);
    if (found === null) return [];
    const { test, status, rest } = found;
    if (status === 'fail' && this.#waiting.size < WAITING_MAX) {
      // An error in the teardown comes after the result of the test itself.
      this.#waiting.set(test, null);
      return [];
    }
    return [this.#tests.result(pathOf(test), status, status === 'skip' ? rest : null)];
  }

  end(exit: SuiteExit): DialectEnd {
    const events = [...this.#waiting].map(([test, reason]) => this.#tests.result(pathOf(test), 'fail', reason));
    for (const [test, reason] of this.#subtests) events.push(this.#tests.result(test, 'fail', reason));
    return { events, whole: this.#tests.whole(exit, this.#total) };
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
    if (WORDS[word] !== 'fail' || !test.includes('::') || at === -1) return;
    const name = line.slice(word.length + 1, at);
    if (this.#waiting.has(name)) this.#waiting.set(name, line.slice(at + 3));
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
