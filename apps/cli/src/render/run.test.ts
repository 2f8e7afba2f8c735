import type { JobView, RunDetail } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { changedLines, type PrintedLine } from './run.js';

const job = { id: 'j', kind: 'test', build: 'b', state: 'queued', machine: 'm1', attempts: [], verdict: null };
const waitingRun = (waiting: string): RunDetail =>
  ({ state: 'ended', counts: {}, jobViews: [{ ...job, waiting } as unknown as JobView] }) as RunDetail;

/** What is printed when a run is looked at again and again. */
function printed(...waiting: string[]): string[] {
  const before = new Map<string, PrintedLine>();
  return waiting.flatMap((text) => changedLines(waitingRun(text), before, false, 0));
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

const run = (reported: number, more: Partial<RunDetail> = {}): RunDetail => ({
  id: 'r',
  name: 'r',
  state: 'running',
  verdict: null,
  counts: { pass: reported },
  jobs: { total: 1, ended: 0 },
  progress: { running: 1, reported, planned: 109, obstacle: null },
  trigger: { kind: 'user', detail: 'me' },
  builds: [],
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: null,
  endedAt: null,
  cancelRequested: false,
  spec: { name: 'r', builds: [], suites: [], machines: {}, priority: 50, timeouts: {} },
  yaml: null,
  jobViews: [],
  endsInMs: null,
  pin: null,
  purpose: 'test',
  suspects: [],
  ...more,
});

it('says where the run stands in the words of the pages: with each tenth, and with what goes wrong', () => {
  const before = new Map<string, PrintedLine>();
  const lines = (of: RunDetail) => changedLines(of, before, false, 0);
  expect(lines(run(40))).toEqual(['running, 40 of 109, no failure so far']);
  expect(lines(run(41))).toEqual([]);
  expect(lines(run(42, { counts: { pass: 41, fail: 1 } }))).toEqual(['running, 42 of 109, 1 fail so far']);
  expect(lines(run(60, { counts: { pass: 59, fail: 1 } }))).toEqual(['running, 60 of 109, 1 fail so far']);
  const drained = { running: 0, reported: 60, planned: 109, obstacle: 'v-switch is drained; activate it to go on' };
  expect(lines(run(60, { counts: { pass: 60 }, progress: drained }))).toEqual([
    'waiting, 60 of 109, no failure so far, v-switch is drained; activate it to go on',
  ]);
  expect(lines(run(109, { state: 'ended', verdict: 'pass', progress: null }))).toEqual([]);
});
