import type { RunFailure } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { dayAfter, endOfDay } from './days.js';
import { foldFailures } from './fold.js';

const failure = (test: string, key: string, machine: string): RunFailure => ({
  attemptId: '00000000-0000-4000-8000-000000000000',
  machine,
  build: 'b',
  suite: 's',
  test,
  verdict: 'fail',
  failure: null,
  key,
  what: null,
  earlier: 0,
  firstAt: '2026-01-01T00:00:00Z',
  known: null,
});

describe('failures of a run', () => {
  it('are folded where test and failure are the same', () => {
    const folded = foldFailures([
      failure('a', 'x', 'm1'),
      failure('b', 'x', 'm1'),
      failure('a', 'x', 'm2'),
      failure('a', 'y', 'm3'),
    ]);
    expect(folded.map(({ test, key, count }) => [test, key, count])).toEqual([
      ['a', 'x', 2],
      ['b', 'x', 1],
      ['a', 'y', 1],
    ]);
  });
});

describe('the end of a mark', () => {
  it('is the end of a local day', () => {
    const at = new Date(2026, 11, 30, 10).getTime();
    expect(dayAfter(at, 0)).toBe('2026-12-30');
    expect(dayAfter(at, 3)).toBe('2027-01-02');
    expect(endOfDay('2026-12-30')).toBe(new Date(2026, 11, 30, 23, 59, 59).toISOString());
    expect([endOfDay(''), endOfDay('soon')]).toEqual([null, null]);
  });
});
