import { expect, it } from 'vitest';
import { PeriodicJob } from './periodic-job.js';

let nowMs = 0;
const job = (): PeriodicJob => new PeriodicJob({ everyMs: 1000, longestMs: 5000 }, () => nowMs);

it('has a problem until it runs, and when it stops running', async () => {
  const periodic = job();
  expect(periodic.problem()).toBe('has not run yet');
  await periodic.run(() => Promise.resolve());
  nowMs += 3000;
  expect(periodic.problem()).toBeNull();
  nowMs += 1;
  expect(periodic.problem()).toBe('last ran 3 s ago');
  await periodic.run(() => Promise.resolve());
  expect(periodic.problem()).toBeNull();
});

it('has a problem when a run takes longer than it may', async () => {
  const periodic = job();
  let end = (): void => undefined;
  const running = periodic.run(() => new Promise<void>((resolve) => (end = resolve)));
  nowMs += 5000;
  expect(periodic.problem()).toBeNull();
  nowMs += 1000;
  expect(periodic.problem()).toBe('has been running for 6 s');
  end();
  await running;
  expect(periodic.problem()).toBeNull();
});

it('has a problem from a run that fails to one that does not', async () => {
  const periodic = job();
  await expect(periodic.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(periodic.problem()).toBe('failed when it ran last');
  await periodic.run(() => Promise.resolve());
  expect(periodic.problem()).toBeNull();
});
