import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logTicks, SIZE_CHART, SIZE_LOOKS, sizeMark, sizePath, sizeScale, type SizeLine } from './size-chart.js';

const spread = (median: number) => ({ median, lowest: median * 0.9, highest: median * 1.1 });
/** Two lines of which either may lack a size. */
const lines = (values: [bytes: number, a: number | null, b: number | null][]): [SizeLine, SizeLine] => {
  const line = (name: string, side: 1 | 2): SizeLine => ({
    name,
    points: values.map((each) => {
      const value = each[side];
      return { bytes: each[0], spread: value === null ? null : spread(value) };
    }),
  });
  return [line('a', 1), line('b', 2)];
};

describe('the chart over message sizes', () => {
  it('has every spread within its frame, larger sizes to the right and larger values above', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.double({ min: 1e-3, max: 1e6, noNaN: true }));
    fc.assert(
      fc.property(fc.uniqueArray(point, { selector: ([power]) => power, minLength: 1 }), (points) => {
        const [a, b] = lines(
          points.toSorted(([x], [y]) => x - y).map(([power, value]) => [2 ** power, value, value * 2]),
        );
        const scale = sizeScale([a, b]);
        if (scale === null) throw new Error('no scale');
        let before = 0;
        for (const [at, { bytes, spread: ofA }] of a.points.entries()) {
          const ofB = b.points[at]?.spread;
          expect(scale.x(bytes)).toBeGreaterThan(before);
          before = scale.x(bytes);
          expect(before).toBeLessThanOrEqual(SIZE_CHART.width - SIZE_CHART.right + 0.01);
          for (const each of [ofA, ofB]) {
            for (const value of [each?.lowest ?? 1, each?.highest ?? 1]) {
              expect(scale.y(value)).toBeGreaterThanOrEqual(SIZE_CHART.top - 0.01);
              expect(scale.y(value)).toBeLessThanOrEqual(SIZE_CHART.height - SIZE_CHART.bottom + 0.01);
            }
          }
          expect(scale.y(ofB?.median ?? 1)).toBeLessThan(scale.y(ofA?.median ?? 1));
        }
        expect(scale.values.length).toBeGreaterThan(0);
        expect(scale.values.length).toBeLessThanOrEqual(7);
      }),
    );
  });

  it('interrupts the line of a side where it was not measured, or measured nothing', () => {
    const [a, b] = lines([
      [1, 10, 10],
      [2, null, 10],
      [4, 0, 10],
      [8, 10, 10],
      [16, 20, 10],
    ]);
    const scale = sizeScale([a, b]);
    if (scale === null) throw new Error('no scale');
    expect(sizePath(a, scale).match(/[ML]/g)).toEqual(['M', 'M', 'L']);
    expect(sizePath(b, scale).match(/[ML]/g)).toEqual(['M', 'L', 'L', 'L', 'L']);
    expect(sizeScale(lines([[1, null, 0]]))).toBeNull();
  });

  it('has a mark of its own for each look', () => {
    expect(new Set(SIZE_LOOKS.map((_, look) => sizeMark(look, 10, 10))).size).toBe(SIZE_LOOKS.length);
  });

  it.each([
    [1, 1000, [1, 10, 100, 1000]],
    [3, 30, [5, 10, 20]],
    [7.1, 7.2, [7.1, 7.2]],
  ])('has ticks from %f to %f', (low, high, ticks) => {
    expect(logTicks(low, high)).toEqual(ticks);
  });
});
