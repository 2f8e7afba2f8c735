import { describe, expect, it } from 'vitest';
import { arrangeCells, type ResultRow } from './grid.js';
import { arrangeMetrics, type MetricRow } from './grid-metrics.js';
import { arrangeRows, columnIndex } from './grid-rows.js';
import type { VerdictRow } from '../verdicts/packed-verdicts.js';
import { quartiles } from '../verdicts/statistics.js';
import { expectedTests, suitePosition, verdictOfUnreached } from '../verdicts/unreached.js';

const proof = (pages: number): string =>
  JSON.stringify({ test: 't', expected: 'peer', taken: 'BUS_ADDR', detail: { 'alias pages': pages } });
const result = (attempt: string, test: string, stored: string | null = null): ResultRow => ({
  attempt_id: attempt,
  role: 'main',
  suite: 's',
  test,
  verdict: 'pass',
  reason: null,
  duration_ms: 1,
  proof: stored,
  log: null,
});
const verdicts = (attemptId: string, tests: string[], positions: number[], letters: string): VerdictRow => ({
  attemptId,
  suite: 's',
  tests,
  positions,
  verdicts: letters,
  reasons: Object.fromEntries(Array.from(letters).flatMap((letter, place) => (letter === 'F' ? [[place, 'why']] : []))),
  newest: new Date(0),
});
const columns = [{ attemptId: 'a' }, { attemptId: null }, { attemptId: 'b' }];

describe('the grid', () => {
  it('orders rows by their place in the suite and says what never ran', () => {
    const { rows, notes } = arrangeRows(columns, [
      verdicts('b', ['early', 'late'], [1, 9], 'PF'),
      verdicts('a', ['early'], [1], 'S'),
    ]);
    expect(rows).toEqual([
      { suite: 's', test: 'early', verdicts: 'S.P' },
      { suite: 's', test: 'late', verdicts: '..F' },
    ]);
    expect(notes).toEqual([{ row: 1, column: 2, reason: 'why' }]);
    const { cells, proofs } = arrangeCells(columns, rows, [
      result('b', 'late', proof(5)),
      result('a', 'early', proof(4)),
      result('b', 'early', proof(4)),
      result('a', 'late'),
    ]);
    expect(cells.map(({ row, column }) => [row, column])).toEqual([
      [1, 2],
      [0, 0],
      [0, 2],
      [1, 0],
    ]);
    // A proof that several cells have is there once.
    expect(cells.map((cell) => cell.proof)).toEqual([0, 1, 1, null]);
    expect(proofs.map(({ detail }) => detail['alias pages'])).toEqual([5, 4]);
  });

  it('has the worst result where two participants report a test, and names its role', () => {
    const columns = [{ attemptId: 'a' }];
    const rows = [{ suite: 's', test: 'write', verdicts: 'F' }];
    const client = { ...result('a', 'write'), role: 'client', verdict: 'fail' as const, reason: 'wrong data' };
    const server = { ...result('a', 'write'), role: 'server' };
    for (const results of [
      [client, server],
      [server, client],
    ]) {
      expect(arrangeCells(columns, rows, results).cells).toMatchObject([
        { row: 0, column: 0, verdict: 'fail', reason: 'client: wrong data' },
      ]);
    }
  });

  it('has the planned tests without a result as pending', () => {
    const planned = (suite: string, column: number, tests: string[]) => ({
      column,
      suite,
      tests,
      positions: tests.map((test) => (test === 'early' ? 1 : 9)),
    });
    const shown = [verdicts('a', ['early', 'late'], [1, 9], 'PF')];
    const { rows } = arrangeRows(columns, shown, [
      planned('s', 0, ['early', 'late']),
      // Its kernel is not built, so that only the suite is known.
      planned('s', 1, ['(suite)']),
      planned('s', 2, ['late']),
      planned('unknown', 1, ['(suite)']),
    ]);
    expect(rows).toEqual([
      { suite: 's', test: 'early', verdicts: 'P:.' },
      { suite: 's', test: 'late', verdicts: 'F::' },
      { suite: 'unknown', test: '(suite)', verdicts: '.:.' },
    ]);
  });

  it('puts one metric of several columns side by side', () => {
    const value = (attemptId: string, median: number): MetricRow['values'][number] => ({
      attemptId,
      lowerQuartile: median - 1,
      median,
      upperQuartile: median + 1,
      n: 5,
    });
    const metric: MetricRow = {
      suite: 'p2p-perf',
      test: 'P01',
      name: 'fault_map.ram.pte',
      unit: 'ns/page',
      better: 'lower',
      values: [value('b', 20), value('a', 9), value('a', 10), value('elsewhere', 1)],
    };
    const [row] = arrangeMetrics(columns.length, columnIndex(columns), [metric]);
    expect(row?.values.map((value) => value?.median ?? null)).toEqual([10, null, 20]);
  });
});

it('quartiles are those of R and NumPy', () => {
  expect(quartiles([4, 1, 3, 2])).toEqual({ lowerQuartile: 1.75, median: 2.5, upperQuartile: 3.25 });
  expect(quartiles([7])).toEqual({ lowerQuartile: 7, median: 7, upperQuartile: 7 });
});

describe('tests that were not reached', () => {
  const suites = [{ name: 'one', tests: ['a', 'b'] }];

  it('come from the announcement, else the manifest, else stand for their suite', () => {
    const planned = [{ suite: 'one', test: 'x', position: 5 }];
    expect(expectedTests(['one'], suites, planned)).toEqual(planned);
    expect(expectedTests(['one'], suites, []).map(({ test }) => test)).toEqual(['a', 'b']);
    expect(expectedTests(['two'], suites, []).map(({ test }) => test)).toEqual(['(suite)']);
  });

  it('blame the kernel only for findings', () => {
    const failure = (name: 'kernel-crash' | 'infrastructure' | 'canceled') =>
      verdictOfUnreached({ class: name, stage: null, message: 'm', signature: null }).verdict;
    expect([failure('kernel-crash'), failure('infrastructure'), failure('canceled')]).toEqual([
      'not-reached',
      'infra',
      'canceled',
    ]);
    expect(verdictOfUnreached(null).verdict).toBe('not-reached');
  });

  it('the farm frames the suites', () => {
    const order = [
      suitePosition(suites, 'farm', 'boot'),
      suitePosition(suites, 'one', 'a'),
      suitePosition(suites, 'unknown', 'a'),
      suitePosition(suites, 'farm', 'restore'),
    ];
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });
});
