import type { ResultView, Verdict } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { arrangeResults } from './result-order.js';

const result = (
  test: string,
  verdict: Verdict,
  durationMs: number | null,
  reason: string | null = null,
): ResultView => ({
  role: 'main',
  suite: 's',
  test,
  position: Number(test.slice(1)),
  status: 'pass',
  verdict,
  reason,
  durationMs,
  proof: null,
  warnings: [],
  signature: null,
  log: null,
});
const results = [
  result('t1', 'pass', 5),
  result('t2', 'skip', null, 'no huge pages'),
  result('t10', 'tainted', 9),
  result('t3', 'crash', 700),
  result('t4', 'skip', 0, 'no IOMMU'),
  result('t5', 'skip', null, 'no IOMMU'),
  result('t6', 'pass', 2),
];
const names = (search: Parameters<typeof arrangeResults>[1]) =>
  arrangeResults(results, search).rows.map(({ test }) => test);

it('shows first what needs a look, then as it ran, and skips by their reason', () => {
  expect(names({})).toEqual(['t3', 't10', 't1', 't6']);
  expect(arrangeResults(results, {}).skipped.map(({ reason, results: of }) => [reason, of.length])).toEqual([
    ['no IOMMU', 2],
    ['no huge pages', 1],
  ]);
});

it('sorts by time taken, by name and as it ran, skips among the others', () => {
  expect(names({ sort: 'time' }).slice(0, 4)).toEqual(['t3', 't10', 't1', 't6']);
  expect(names({ sort: 'name' })).toEqual(['t1', 't2', 't3', 't4', 't5', 't6', 't10']);
  expect(names({ sort: 'run' })).toEqual(['t1', 't2', 't3', 't4', 't5', 't6', 't10']);
});

it('keeps one verdict', () => {
  expect(names({ verdict: 'pass' })).toEqual(['t1', 't6']);
  expect(arrangeResults(results, { verdict: 'skip' })).toMatchObject({ rows: [], skipped: [{}, {}] });
  expect(names({ verdict: 'skip', sort: 'time' })).toEqual(['t4', 't2', 't5']);
});
