import { describe, expect, it } from 'vitest';
import { readPicks, togglePick } from './PickBar.js';
import { ratioPlaces, ratioReach, ratioText } from './ratio.js';

describe('ratios', () => {
  it.each([
    [0.875, '0.875×'],
    [1, '1.00×'],
    [1.037, '1.04×'],
    [53.8, '53.8×'],
    [0.0186, '0.0186×'],
  ])('%d is %s', (ratio, text) => expect(ratioText(ratio)).toBe(text));

  it('stand symmetric about 1, the farthest end at the edge', () => {
    const [half, near] = [
      { value: 0.5, low: 0.25, high: 1 },
      { value: 1, low: null, high: null },
    ];
    const reach = ratioReach([{ ratio: half }, { ratio: near }, { ratio: null }]);
    expect(ratioPlaces(half, reach)).toEqual({ low: 0, value: 0.25, high: 0.5 });
    expect(ratioPlaces(near, reach)).toEqual({ low: 0.5, value: 0.5, high: 0.5 });
    expect(ratioPlaces(null, reach)).toBeNull();
  });

  it('of noise keep near the middle', () => {
    const ratio = { value: 1.001, low: 0.999, high: 1.002 };
    expect(ratioPlaces(ratio, ratioReach([{ ratio }]))?.high).toBeLessThan(0.55);
  });
});

it('two runs can be picked; a third takes the place of the first', () => {
  expect(readPicks(undefined)).toEqual([]);
  expect(readPicks('a,,a,b,c')).toEqual(['a', 'b']);
  expect(togglePick(['a'], 'b')).toEqual(['a', 'b']);
  expect(togglePick(['a', 'b'], 'c')).toEqual(['b', 'c']);
  expect(togglePick(['a', 'b'], 'a')).toEqual(['b']);
});
