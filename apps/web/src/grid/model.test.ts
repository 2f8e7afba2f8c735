import type { Grid } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import {
  alikeCells,
  cellName,
  changeText,
  compareMetric,
  countVerdicts,
  findCell,
  groupColumns,
  groupRows,
  sortRows,
  verdictAt,
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
    build: {
      id: '00000000-0000-4000-8000-000000000000',
      name: build,
      release: null,
      buildId: null,
      features: null,
      config: null,
      aliases: [],
      git: null,
    },
    machine,
    pair: null,
    runId: '00000000-0000-4000-8000-000000000000',
    runName: 'r',
    jobId: '00000000-0000-4000-8000-000000000000',
    attemptId: null,
    state: 'ended',
    verdict: null,
    at: null,
    logLines: {},
    boot: null,
    busy: null,
  };
}
const grid: Grid = {
  columns: [column('a', 'base', 'm1'), column('a', 'next', 'm2'), column('b', 'base', 'm3')],
  rows: [
    { suite: 's1', test: 'one', verdicts: 'P..' },
    { suite: 's1', test: 'two@x/y', verdicts: 'F.F' },
    { suite: 's2', test: 'one', verdicts: 'P.F' },
  ],
  notes: [
    { row: 1, column: 0, reason: 'data differ at 0x10 of page 3' },
    { row: 1, column: 2, reason: 'data differ at 0x2f00 of page 12' },
    { row: 2, column: 2, reason: 'out of memory' },
  ],
  cells: [],
  proofs: [],
  marks: [],
  known: [],
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
  it('keeps jobs on other machines apart where machines are told apart, by the machines of all roles', () => {
    const single = column('a', 'base', 'm1');
    const { aliases: _, ...build } = single.build;
    const pair = (...machines: string[]) => ({
      ...single,
      roles: machines.map((machine, at) => ({ role: `r${at}`, machine, pair: null, build })),
    });
    const columns = [pair('m1', 'm2'), pair('m1', 'm2'), pair('m1', 'm3')];
    expect(groupColumns(columns, true).map((group) => group.columns)).toEqual([[0, 1], [2]]);
    expect(groupColumns(columns).map((group) => group.columns)).toEqual([[0, 1, 2]]);
  });
  it('groups rows by suite and leaves out what the filter refuses', () => {
    expect(groupRows(grid, (text) => text !== 's1/one')).toEqual([
      { suite: 's1', rows: [1] },
      { suite: 's2', rows: [2] },
    ]);
  });
  it('counts verdicts, worst first, and nothing for a column that never ran', () => {
    const counts = countVerdicts(grid, [0, 1, 2], 0);
    expect(counts).toEqual({ pass: 2, fail: 1 });
    expect(worstCounted(counts)).toBe('fail');
    expect(worstCounted(countVerdicts(grid, [0, 1, 2], 1))).toBeNull();
  });
  it('shows a column of passes as passed although a test was skipped', () => {
    expect(worstCounted({ pass: 99, skip: 1 })).toBe('pass');
    expect(worstCounted({ skip: 2 })).toBe('skip');
  });
  it('counts a column as trouble by the verdict table: a test that was not reached is none', () => {
    const rows = {
      rows: ['NNN', 'I..', 'CSP', 'FF.'].map((verdicts, at) => ({ suite: 's', test: `${at}`, verdicts })),
    };
    expect(sortRows(rows, [0, 1, 2, 3], 'failures')).toEqual([3, 1, 0, 2]);
  });
  it('reads a verdict from its letter', () => {
    expect([0, 1, 2].map((at) => verdictAt(grid, 1, at))).toEqual(['fail', null, 'fail']);
    expect(verdictAt(grid, 9, 0)).toBeNull();
  });
  it('sorts rows by trouble or by name and leaves equals in their order', () => {
    expect(sortRows(grid, [0, 1, 2], 'failures')).toEqual([1, 2, 0]);
    expect(sortRows(grid, [2, 1, 0], 'name')).toEqual([2, 0, 1]);
    expect(sortRows(grid, [2, 0, 1], 'suite')).toEqual([2, 0, 1]);
  });
  it('sorts rows by flips, of equals the one with fewer chances first, and those without a chance last', () => {
    const flips = new Map([
      ['s1/one', { flips: 2, chances: 9 }],
      ['s2/one', { flips: 2, chances: 4 }],
    ]);
    expect(sortRows(grid, [0, 1, 2], 'flakiness', flips)).toEqual([2, 0, 1]);
    expect(sortRows(grid, [0, 1, 2], 'flakiness')).toEqual([0, 1, 2]);
  });
  it('finds the cells that fail in the same way, whatever the addresses', () => {
    expect([...alikeCells(grid, { row: 1, column: 0 })]).toEqual(['1:2']);
    expect(alikeCells(grid, { row: 0, column: 0 }).size).toBe(0);
    expect(alikeCells(grid, null).size).toBe(0);
  });
  it('names a cell so that it is found again, even with odd test names', () => {
    for (let row = 0; row < 3; row += 1) {
      for (let at = 0; at < 3; at += 1) expect(findCell(grid, cellName(grid, row, at))).toEqual({ row, column: at });
    }
    expect(findCell(grid, 's1/one@gone@aaaaaaaa')).toBeNull();
    const [first, ...rest] = grid.columns;
    const renamed = first && { ...first, build: { ...first.build, aliases: ['gone'] } };
    expect(findCell({ ...grid, columns: renamed ? [renamed, ...rest] : [] }, 's1/one@gone@aaaaaaaa')).toEqual({
      row: 0,
      column: 0,
    });
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
    test: 't',
    name: 'm',
    unit: 'ns/page',
    better,
    noise: {},
    values,
  });
  /** The columns of one combination. */
  const candidates = [0, 1];

  it('compares with the first build of the same combination', () => {
    const change = compareMetric(row('lower', value(14_800), value(290), value(5)), 1, candidates);
    expect(change).toMatchObject({ against: 0, direction: 'lower', clear: false });
    expect(change && changeText(change)).toBe('51× lower, no verdict');
    expect(change && changeText({ ...change, clear: true })).toBe('51× better');
    expect(change && changeText({ ...change, factor: 1.004 })).toBe('as much, no verdict');
    expect(change && changeText({ ...change, factor: 1.004, clear: true })).toBe('1.00× better');
    expect(compareMetric(row('lower', value(1), value(2), null), 0, candidates)).toBeNull();
  });
  it('knows which direction is better', () => {
    const change = compareMetric(row('higher', value(100), value(50), null), 1, candidates);
    expect(change && changeText({ ...change, clear: true })).toBe('2.00× worse');
  });
  it('has no verdict of its own, and compares with nothing when the first build has no value', () => {
    const change = compareMetric(row('lower', value(100), value(200), null), 1, candidates, () => true);
    expect(change).toMatchObject({ direction: 'higher', factor: 0.5, clear: true });
    expect(compareMetric(row('lower', null, value(95), null), 1, candidates)).toBeNull();
  });
});
