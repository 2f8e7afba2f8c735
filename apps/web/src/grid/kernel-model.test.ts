import type { KernelColumn } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { findKernelCell, foldTexts, groupKernels, kernelBefore, kernelCellName } from './kernel-model.js';

const id = '00000000-0000-4000-8000-000000000000';
const kernel = (name: string, buildId: string): KernelColumn => ({
  key: buildId.repeat(64),
  build: { id, name },
  run: { id, name: 'run' },
  release: '7.3.4',
  baseVersion: '7.3.4',
  buildId,
  patches: 1,
  dmaAlias: true,
  config: 'peerlab',
  builtAt: '2026-01-01T00:00:00Z',
  testedAt: null,
  combinations: 1,
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
      '1 of 3 combinations says so',
      '2 of 5 combinations say so',
      undefined,
    ]);
  });
});
