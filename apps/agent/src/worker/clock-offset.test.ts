import { expect, it } from 'vitest';
import { ClockMeasure } from './clock-offset.js';

it('knows the offset to half of the time that the quickest answer took', () => {
  const clock = new ClockMeasure();
  expect(clock.best).toBeNull();
  // This computer is 5 s behind. The farm read its clock at once, or only at the end.
  for (const [took, share] of [
    [80, 0.9],
    [4, 0.25],
    [40, 0],
  ] as const) {
    const sentMs = 1_000_000;
    clock.note(sentMs + 5000 + took * share, sentMs + took, took);
  }
  expect(clock.best).toEqual({ offsetMs: 4999, errorMs: 2 });
});

it('forgets what was measured before the clock was set', () => {
  const clock = new ClockMeasure();
  clock.note(1000, 1000, 0);
  for (let at = 0; at < 12; at += 1) clock.note(10_000, 2000, 10);
  expect(clock.best).toEqual({ offsetMs: 8005, errorMs: 5 });
});
