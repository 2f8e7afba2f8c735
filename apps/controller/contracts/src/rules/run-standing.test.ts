import { expect, it } from 'vitest';
import { runPhase, standingText } from './run-standing.js';

const progress = { running: 1, reported: 40, planned: 109, obstacle: null };
const run = { state: 'running', verdict: null, counts: { pass: 40 }, jobs: { total: 2, ended: 0 }, progress } as const;

it('gives no verdict before the end', () => {
  expect(standingText(run)).toBe('running, 40 of 109, no failure so far');
  expect(standingText({ ...run, verdict: 'pass' })).toBe('running, 40 of 109, no failure so far');
  expect(standingText({ ...run, counts: { pass: 37, fail: 2, crash: 1, skip: 3 } })).toBe(
    'running, 40 of 109, 1 crash, 2 fail so far',
  );
  expect(standingText({ ...run, state: 'ended', verdict: 'pass', progress: null })).toBe('pass');
  expect(standingText({ ...run, state: 'ended', verdict: null, progress: null })).toBe('no verdict');
});

it('counts without a total while a kernel is not built', () => {
  const building = { ...run, counts: {}, progress: { ...progress, reported: 0, planned: null } };
  expect(standingText(building)).toBe('running');
  expect(standingText({ ...building, progress: { ...progress, reported: 1, planned: null } })).toBe(
    'running, 1 test, no failure so far',
  );
});

it('is waiting, not running, while no job of it runs', () => {
  const stuck = { ...progress, running: 0, reported: 0, obstacle: 'v-switch is drained; activate it to go on' };
  expect(standingText({ ...run, state: 'queued', counts: {}, progress: stuck })).toBe(
    'waiting, 0 of 109, v-switch is drained; activate it to go on',
  );
  const free = { ...progress, running: 0 };
  expect(runPhase({ ...run, progress: free })).toBe('waiting');
  expect(runPhase({ ...run, state: 'queued', jobs: { total: 2, ended: 1 }, progress: free })).toBe('waiting');
  expect(runPhase({ ...run, state: 'queued', progress: free })).toBe('queued');
  expect(runPhase({ ...run, state: 'ended', progress: null })).toBe('ended');
});
