import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WorkLimit } from './work-limit.js';

describe('the limit of an attempt’s work', () => {
  let passed = 0;
  const limitOf = (ms: number): WorkLimit => new WorkLimit(ms, () => (passed += 1));
  beforeEach(() => {
    passed = 0;
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  it('passes once, at its time', () => {
    limitOf(1000);
    vi.advanceTimersByTime(999);
    expect(passed).toBe(0);
    vi.advanceTimersByTime(5000);
    expect(passed).toBe(1);
  });

  it('stands still while something is done apart, also where two things overlap or fail', async () => {
    const limit = limitOf(1000);
    vi.advanceTimersByTime(600);
    const work = new EventEmitter();
    const both = ['first', 'second'].map((name) => limit.apart(() => once(work, name)));
    vi.advanceTimersByTime(60_000);
    work.emit('first');
    await both[0];
    vi.advanceTimersByTime(60_000);
    expect(passed).toBe(0);
    work.emit('error', new Error('it failed'));
    await expect(both[1]).rejects.toThrow('it failed');
    vi.advanceTimersByTime(399);
    expect(passed).toBe(0);
    vi.advanceTimersByTime(1);
    expect(passed).toBe(1);
  });

  it('never passes after its end', async () => {
    const limit = limitOf(1000);
    await limit.apart(async () => limit.end());
    vi.advanceTimersByTime(60_000);
    expect(passed).toBe(0);
  });
});
