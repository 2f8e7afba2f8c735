import { type AttemptEvent, dialectReader, type TestResult } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { METRICS_PER_ATTEMPT, Quota } from './suite-limits.js';
import { SuiteProgress } from './suite-progress.js';

/** Results of a suite in a dialect that prints a line each second, with kernel warnings at these times in seconds. */
function results(dialect: 'pytest' | 'unittest', lines: readonly string[], warnings: ReadonlyMap<number, string>) {
  const found: TestResult[] = [];
  const around = {
    emit: (event: AttemptEvent) => void (event.type === 'result' && found.push(event.result)),
    warningsBetween: (from: number, to: number) =>
      [...warnings].flatMap(([second, title]) => (second * 1000 > from && second * 1000 <= to ? [title] : [])),
    note: () => undefined,
    say: () => undefined,
  };
  const progress = new SuiteProgress('s', [], around, new Quota(METRICS_PER_ATTEMPT), dialectReader(dialect));
  progress.restart(0, 0);
  for (const [at, line] of lines.entries()) progress.take(null, line, at, 1000 * (at + 1));
  progress.endSuite({ code: 1, how: 'exited with 1' });
  return found.map(({ test, status, reason, warnings: said, log }) => [test, status, reason, said.join(), log?.toSeq]);
}

it.each([
  [
    'pytest' as const,
    [
      'tests/a.py::test_one PASSED',
      'tests/a.py::test_two FAILED',
      'tests/a.py::test_three PASSED',
      '=== short test summary info ===',
      'FAILED tests/a.py::test_two - assert 1 == 2',
      '=== 1 failed, 2 passed in 3.00s ===',
    ],
    'tests/a.py',
    'assert 1 == 2',
  ],
  [
    'unittest' as const,
    [
      'test_one (a.A) ... ok',
      'test_two (a.A) ... FAIL',
      'test_three (a.A) ... ok',
      '='.repeat(70),
      'FAIL: test_two (a.A)',
      '-'.repeat(70),
      'AssertionError: 1 != 2',
      '',
      '-'.repeat(70),
      'Ran 3 tests in 3.000s',
      'FAILED (failures=1)',
    ],
    'a.A',
    'AssertionError: 1 != 2',
  ],
])('what the kernel says while a test of %s fails belongs to it, and to no later one', (dialect, lines, place, why) => {
  const warnings = new Map([[1.5, 'WARNING in two']]);
  expect(results(dialect, lines, warnings)).toEqual([
    [`${place}/test_one`, 'pass', null, '', 0],
    [`${place}/test_three`, 'pass', null, '', 2],
    [`${place}/test_two`, 'fail', why, 'WARNING in two', 1],
  ]);
});
