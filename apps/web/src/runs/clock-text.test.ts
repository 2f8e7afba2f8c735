import { expect, it } from 'vitest';
import { clockText } from './clock-text.js';

it.each([
  [0.2, 1.4, 'clock right within 2 ms'],
  [-5000, 2, 'clock 5000 ms ahead, ± 2 ms'],
  [3_600_000, 40, 'clock 3600 s behind, ± 40 ms'],
])('an offset of %s ms known to %s ms is “%s”', (offsetMs, errorMs, text) => {
  expect(clockText({ offsetMs, errorMs })).toBe(text);
});
