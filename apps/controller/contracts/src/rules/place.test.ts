import { expect, it } from 'vitest';
import { placeNames } from './place.js';

it('names the devices where a machine has several pairs, and nowhere else', () => {
  const near = { provider: '0000:03:00.0', client: '0000:04:00.0' };
  const far = { provider: '0000:05:00.0', client: '0000:04:00.0' };
  expect(
    placeNames([
      { machine: 'v-mixed', pair: near },
      { machine: 'v-mixed', pair: far },
      { machine: 'v-switch', pair: near },
      { machine: 'v-switch', pair: near },
      { machine: null, pair: null },
    ]),
  ).toEqual([
    'v-mixed (0000:03:00.0 → 0000:04:00.0)',
    'v-mixed (0000:05:00.0 → 0000:04:00.0)',
    'v-switch',
    'v-switch',
    'any machine',
  ]);
});
