import type { KernelColumn } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import {
  alignMetrics,
  findKernelCell,
  foldTexts,
  groupKernels,
  kernelBefore,
  kernelCellName,
  pageText,
  referenceKernel,
} from './kernel-model.js';
import type { GridMetricRow } from './model.js';

const id = '00000000-0000-4000-8000-000000000000';
const kernel = (name: string, buildId: string): KernelColumn => ({
  key: buildId.repeat(64),
  build: { id, name },
  run: { id, name: 'run' },
  release: '7.3.4',
  baseVersion: '7.3.4',
  buildId,
  git: null,
  patches: 1,
  features: ['dma_alias'],
  config: 'peerlab',
  builtAt: '2026-01-01T00:00:00Z',
  testedAt: null,
  combinations: 1,
  isCut: false,
});
const columns = [kernel('series', 'c'), kernel('series', 'b'), kernel('base', 'a')];
const grid = {
  columns,
  rows: [
    { suite: 's', test: 'one', verdicts: 'PPP' },
    { suite: 's', test: 'two@x/y', verdicts: 'PFP' },
  ],
};

describe('kernels', () => {
  it('of one build name stand below one header', () => {
    expect(groupKernels(columns)).toEqual([
      { name: 'series', columns: [0, 1] },
      { name: 'base', columns: [2] },
    ]);
  });
  it('have one before them of their own name only', () => {
    expect([0, 1, 2, 3].map((column) => kernelBefore(columns, column)?.buildId ?? null)).toEqual([
      'b',
      null,
      null,
      null,
    ]);
  });
  it('name a cell so that it is found again, even with odd test names', () => {
    for (const row of [0, 1]) {
      for (const column of [0, 1, 2]) {
        expect(findKernelCell(grid, kernelCellName(grid, row, column))).toEqual({ row, column });
      }
    }
  });
  it.each([undefined, '', 'garbage', 's/one@gone', 's/gone@a', 's/one@'])('%s names no cell', (name) => {
    expect(findKernelCell(grid, name)).toBeNull();
  });
  it('say how many combinations agree with the verdict shown', () => {
    const texts = foldTexts({
      differs: [
        [0, 1, 1, 3],
        [1, 2, 2, 5],
      ],
    });
    expect([texts.get('0:1'), texts.get('1:2'), texts.get('0:0')]).toEqual([
      '1 of 3 combinations has this verdict',
      '2 of 5 combinations have this verdict',
      undefined,
    ]);
  });
});

describe('metrics of kernels', () => {
  const row = (...medians: (number | null)[]): GridMetricRow => ({
    suite: 's',
    test: 't',
    name: 'm',
    unit: 'ns',
    better: 'lower',
    noise: {},
    values: medians.map((median) =>
      median === null ? null : { median, lowerQuartile: median, upperQuartile: median, n: 1 },
    ),
  });
  const medians = (rows: readonly GridMetricRow[]) =>
    rows.map(({ values }) => values.map((value) => value?.median ?? null));
  const built = (day: number, dmaAlias: boolean) => ({
    builtAt: `2026-01-0${day}T00:00:00Z`,
    features: dmaAlias ? ['dma_alias'] : [],
  });

  it('stand in the columns of the grid, whatever the order of the answer, and are left out where no column has them', () => {
    const key = (letter: string) => ({ key: letter.repeat(64) });
    const kernels = ['a', 'b', 'c'].map((letter) => letter.repeat(64));
    const answer = { kernels, metrics: [row(1, 2, 3), row(null, 5, null)] };
    expect(medians(alignMetrics([key('c'), key('new'), key('a')], answer))).toEqual([[3, null, 1]]);
  });
  it('are compared with the newest kernel that lacks the feature, else with the oldest, of those that measured', () => {
    const kernels = [built(5, true), built(3, true), built(4, false), built(1, false), built(2, false)];
    expect(referenceKernel(kernels, [row(1, 1, 1, 1, 1)])).toBe(2);
    expect(referenceKernel(kernels, [row(1, 1, null, 1, null), row(null, null, null, null, 1)])).toBe(4);
    expect(referenceKernel(kernels, [row(1, 1, null, null, null)])).toBe(1);
    expect(referenceKernel(kernels, [row(null, null, null, null, null)])).toBeNull();
    expect(referenceKernel([], [])).toBeNull();
  });
});

it.each([
  [0, 30, 45, 'kernels 1–30 of 75 with results, newest first'],
  [30, 30, 500, 'kernels 31–60 of 560 or more with results, newest first'],
  [1000, 5, 0, 'kernels 1\u202f001–1\u202f005 of 1\u202f005 with results, newest first'],
  [7, 0, 0, 'none of 7 kernels with results is older'],
])('a page with %i newer, %i shown and %i older kernels says which it has', (newer, shown, older, text) => {
  expect(pageText(newer, shown, older)).toBe(text);
});
