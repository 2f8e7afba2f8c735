import type { RunDetail } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { changedLines } from './run.js';

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
  pin: null,
  ...more,
});

it('says where the run stands in the words of the pages: with each tenth, and with what goes wrong', () => {
  const before = new Map<string, string>();
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
