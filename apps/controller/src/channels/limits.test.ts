import { expect, it } from 'vitest';
import { ConnectionLimit } from './connection-limit.js';
import { FrameBudget, FRAMES_BURST, FRAMES_PER_SECOND } from './frame-budget.js';

it('connections are counted by caller and in total, and counted out once', () => {
  const limit = new ConnectionLimit(2, 3);
  const end = limit.begin('a');
  limit.begin('a');
  expect(() => limit.begin('a')).toThrow(expect.objectContaining({ status: 429, retryAfterSeconds: 30 }));
  limit.begin('b');
  expect(() => limit.begin('c')).toThrow('3 in total');
  end();
  end();
  expect(limit.size).toBe(2);
  limit.begin('c');
});

it('a connection may send a burst of frames, then so many a second', () => {
  let nowMs = 0;
  const budget = new FrameBudget(() => nowMs);
  const taken = (): number => {
    let count = 0;
    while (budget.take()) count += 1;
    return count;
  };
  expect(taken()).toBe(FRAMES_BURST);
  nowMs += 1000;
  expect(taken()).toBe(FRAMES_PER_SECOND);
  nowMs += 1e9;
  expect(taken()).toBe(FRAMES_BURST);
});
