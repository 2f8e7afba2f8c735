import { expect, it } from 'vitest';
import { unitText } from './unit.js';

it.each([
  ['us', 'µs'],
  ['us/page', 'µs/page'],
  ['pages/us', 'pages/µs'],
  ['us per us', 'µs per µs'],
  ['bus/s', 'bus/s'],
  ['usec', 'usec'],
  ['ns/page', 'ns/page'],
  ['', ''],
])('%s is read as %s', (unit, text) => {
  expect(unitText(unit)).toBe(text);
});
