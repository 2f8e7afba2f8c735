import type { JobView, RunDetail } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { changedLines, type PrintedLine } from './run.js';

const job = { id: 'j', kind: 'test', build: 'b', state: 'queued', machine: 'm1', attempts: [], verdict: null };
const run = (waiting: string): RunDetail => ({ jobViews: [{ ...job, waiting } as unknown as JobView] }) as RunDetail;

/** What is printed when a run is looked at again and again. */
function printed(...waiting: string[]): string[] {
  const before = new Map<string, PrintedLine>();
  return waiting.flatMap((text) => changedLines(run(text), before, false, 0));
}

it('an estimate that goes down minute by minute is printed seldom', () => {
  const lines = printed(...Array.from({ length: 60 }, (_, index) => `next in line for m1, about ${60 - index} min`));
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.length).toBeLessThan(10);
});

it('one that moves much is printed at once, and so is any other change', () => {
  expect(printed('next in line for m1, about 4 min', 'next in line for m1, about 5 h')).toHaveLength(2);
  expect(printed('next in line for m1, about 2 h', 'next in line for m1, less than a minute')).toHaveLength(2);
  expect(printed('2nd in line for m1, about 9 min', 'next in line for m1, about 9 min')).toHaveLength(2);
  expect(printed('next in line for m1, about 9 min', 'next in line for m1')).toHaveLength(2);
  expect(printed('next in line for m1, about 4 min', 'next in line for m1, about 3 min')).toHaveLength(1);
});
