import type { Grid } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import {
  cellLookup,
  cellName,
  changeText,
  compareMetric,
  countVerdicts,
  findCell,
  groupColumns,
  groupRows,
  worstCounted,
  type GridMetricRow,
} from './model.js';

function column(hash: string, build: string, machine: string): Grid['columns'][number] {
  return {
    combination: {
      hash: hash.repeat(64),
      label: hash,
      identity: {
        provider: 'p',
        client: 'c',
        pathKind: 'BUS_ADDR',
        platform: { system: 's', cpuVendor: 'v', cpuFamily: 6, iommu: 'none' },
      },
    },
    build: { name: build, release: null, buildId: null, dmaAlias: null, config: null },
    machine,
    runId: '00000000-0000-4000-8000-000000000000',
    runName: 'r',
    jobId: '00000000-0000-4000-8000-000000000000',
    attemptId: null,
    state: 'ended',
    verdict: null,
    at: null,
    logLines: {},
  };
}
const cell = (row: number, at: number, verdict: 'pass' | 'fail'): Grid['cells'][number] => ({
  row,
  column: at,
  verdict,
  reason: null,
  durationMs: null,
  proof: null,
  log: null,
});
const grid: Grid = {
  columns: [column('a', 'base', 'm1'), column('a', 'next', 'm2'), column('b', 'base', 'm3')],
  rows: [
    { suite: 's1', test: 'one' },
    { suite: 's1', test: 'two@x/y' },
    { suite: 's2', test: 'one' },
  ],
  cells: [cell(0, 0, 'pass'), cell(1, 0, 'fail'), cell(2, 0, 'pass')],
  metrics: [],
  generatedAt: '2026-01-01T00:00:00Z',
};

describe('columns and rows', () => {
  it('merges neighbours of one combination', () => {
    expect(groupColumns(grid.columns).map(({ columns, machines }) => ({ columns, machines }))).toEqual([
      { columns: [0, 1], machines: ['m1', 'm2'] },
      { columns: [2], machines: ['m3'] },
    ]);
  });
  it('groups rows by suite and leaves out what the filter refuses', () => {
    expect(groupRows(grid, (text) => text !== 's1/one')).toEqual([
      { suite: 's1', rows: [1] },
      { suite: 's2', rows: [2] },
    ]);
  });
  it('counts verdicts, worst first, and nothing for a column that never ran', () => {
    const lookup = cellLookup(grid.cells);
    const counts = countVerdicts([0, 1, 2], 0, lookup);
    expect(counts).toEqual({ pass: 2, fail: 1 });
    expect(worstCounted(counts)).toBe('fail');
    expect(worstCounted(countVerdicts([0, 1, 2], 1, lookup))).toBeNull();
  });
  it('names a cell so that it is found again, even with odd test names', () => {
    for (let row = 0; row < 3; row += 1) {
      for (let at = 0; at < 3; at += 1) expect(findCell(grid, cellName(grid, row, at))).toEqual({ row, column: at });
    }
    expect(findCell(grid, 's1/one@gone@aaaaaaaa')).toBeNull();
    expect(findCell(grid, 'garbage')).toBeNull();
    expect(findCell(grid, undefined)).toBeNull();
  });
});

describe('compareMetric', () => {
  const value = (median: number, spread = 1): GridMetricRow['values'][number] => ({
    median,
    lowerQuartile: median - spread,
    upperQuartile: median + spread,
    n: 5,
  });
  const row = (better: 'lower' | 'higher', ...values: GridMetricRow['values']): GridMetricRow => ({
    suite: 's',
    name: 'm',
    unit: 'ns/page',
    better,
    values,
  });
  const [group] = groupColumns(grid.columns);
  if (group === undefined) throw new Error('the grid has a first group');

  it('compares with the first build of the same combination', () => {
    const change = compareMetric(row('lower', value(14_800), value(290), value(5)), 1, group);
    expect(change).toMatchObject({ against: 0, clear: true });
    expect(change && changeText(change)).toBe('51× better');
    expect(compareMetric(row('lower', value(1), value(2), null), 0, group)).toBeNull();
  });
  it('knows which direction is better', () => {
    const change = compareMetric(row('higher', value(100), value(50), null), 1, group);
    expect(change && changeText(change)).toBe('2.00× worse');
  });
  it('makes no claim when the quartile ranges overlap, or when the first build has no value', () => {
    const change = compareMetric(row('lower', value(100, 10), value(95, 10), null), 1, group);
    expect(change && changeText(change)).toBe('no clear change');
    expect(compareMetric(row('lower', null, value(95), null), 1, group)).toBeNull();
  });
});
