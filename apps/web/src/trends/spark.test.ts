import { expect, it } from 'vitest';
import { movedText, nearestPoint, SPARK, sparkOf } from './spark.js';

it('small charts have the same axis for changes of the same size, whatever the unit', () => {
  const [small, large] = [sparkOf([100, 104]), sparkOf([15_000, 15_600])];
  expect(small).toEqual(large);
  expect(small?.axis).toBe('±10 %');
  expect(sparkOf([100, 130])?.axis).toBe('±50 %');
  expect(sparkOf([1, 54])?.axis).toContain('100×');
  for (const { y } of sparkOf([1, 1e9, 3])?.points ?? []) {
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y).toBeLessThanOrEqual(SPARK.height);
  }
  expect([sparkOf([]), sparkOf([0, 1])]).toEqual([null, null]);
  expect(sparkOf([5])?.points).toEqual([{ x: SPARK.width / 2, y: SPARK.height / 2 }]);
});

it('the pointer names the nearest point', () => {
  expect([-5, 0, 26, 99, 400].map((x) => nearestPoint(4, x, 0, 100))).toEqual([0, 0, 1, 3, 3]);
});

it('says better and worse of changes only, and of the newest boot how far off it is', () => {
  const change = { index: 3, direction: 'down', before: 100, after: 88 } as const;
  expect(movedText({ change, ratio: 1, better: 'lower' })).toEqual({ text: '▲ −12 % better', tone: 'good' });
  expect(movedText({ change, ratio: 1, better: 'higher' }).tone).toBe('bad');
  expect(movedText({ change: null, ratio: 1.03, better: 'lower' })).toEqual({
    text: 'newest boot +3.0 %, no verdict',
    tone: null,
  });
  expect(movedText({ change: null, ratio: null, better: 'lower' }).text).toBe('one boot');
});
