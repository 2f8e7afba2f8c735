import { expect, it } from 'vitest';
import { CallerLimit, CALLERS_MAX, IN_FLIGHT_MAX } from './caller-limit.js';

const farm = () => {
  const clock = { nowMs: 0 };
  const limit = new CallerLimit(() => clock.nowMs);
  /** A request of a caller that takes so long; the status. */
  const ask = (caller: string, tookMs: number): number => {
    try {
      const end = limit.begin(caller);
      clock.nowMs += tookMs;
      end();
      end();
      return 200;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };
  return { clock, limit, ask };
};

it('never holds up who asks one after the other, however often and however slow', () => {
  const { ask } = farm();
  for (let request = 0; request < 10_000; request += 1) expect(ask('a', 1)).toBe(200);
  for (let request = 0; request < 100; request += 1) expect(ask('a', 60_000)).toBe(200);
});

it('answers so many at a time, and further ones as soon as one has ended', () => {
  const { limit, ask } = farm();
  const ends = Array.from({ length: IN_FLIGHT_MAX }, () => limit.begin('a'));
  expect(ask('a', 1)).toBe(429);
  expect(ask('b', 1)).toBe(200);
  ends[0]?.();
  expect(ask('a', 1)).toBe(200);
});

it('makes who kept many busy for long wait, and says how long', () => {
  const { clock, limit, ask } = farm();
  const ends = Array.from({ length: IN_FLIGHT_MAX }, () => limit.begin('a'));
  clock.nowMs += 10_000;
  for (const end of ends) end();
  // 60 s were there, 24 × 10 s were used, and the first of them was given back meanwhile.
  expect(() => limit.begin('a')).toThrow(expect.objectContaining({ status: 429, retryAfterSeconds: 43 }));
  expect(ask('b', 1)).toBe(200);
  clock.nowMs += 43_000;
  expect(ask('a', 1)).toBe(200);
});

it('keeps a bounded number of callers in mind, those with requests under way last', () => {
  const { limit, ask } = farm();
  for (let index = 0; index < IN_FLIGHT_MAX; index += 1) limit.begin('busy');
  for (let caller = 0; caller < 2 * CALLERS_MAX; caller += 1) ask(`caller ${caller}`, 0);
  expect(limit.size).toBe(CALLERS_MAX);
  expect(ask('busy', 0)).toBe(429);
});
