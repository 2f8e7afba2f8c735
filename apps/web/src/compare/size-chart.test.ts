import fc from 'fast-check';
import type { ComparedMetric, SizeSeries } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { logTicks, SIZE_CHART, sideLine, sizeScale } from './size-chart.js';

const spread = (median: number) => ({
  median,
  lowest: median * 0.9,
  highest: median * 1.1,
  boots: 3,
  n: 9,
  attemptId: 'x',
});
const series = (values: [bytes: number, a: number | null, b: number | null][]): SizeSeries => ({
  suite: 's',
  series: 'bw',
  unit: 'MiB/s',
  better: 'higher',
  combination: 0,
  points: values.map(([bytes, a, b]) => ({
    bytes,
    metric: { a: a === null ? null : spread(a), b: b === null ? null : spread(b) } as ComparedMetric,
  })),
});

describe('the chart over message sizes', () => {
  it('has every spread within its frame, larger sizes to the right and larger values above', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.double({ min: 1e-3, max: 1e6, noNaN: true }));
    fc.assert(
      fc.property(fc.uniqueArray(point, { selector: ([power]) => power, minLength: 1 }), (points) => {
        const given = series(
          points.toSorted(([x], [y]) => x - y).map(([power, value]) => [2 ** power, value, value * 2]),
        );
        const scale = sizeScale(given);
        if (scale === null) throw new Error('no scale');
        let before = 0;
        for (const { bytes, metric } of given.points) {
          expect(scale.x(bytes)).toBeGreaterThan(before);
          before = scale.x(bytes);
          expect(before).toBeLessThanOrEqual(SIZE_CHART.width - SIZE_CHART.right + 0.01);
          for (const each of [metric.a, metric.b]) {
            for (const value of [each?.lowest ?? 1, each?.highest ?? 1]) {
              expect(scale.y(value)).toBeGreaterThanOrEqual(SIZE_CHART.top - 0.01);
              expect(scale.y(value)).toBeLessThanOrEqual(SIZE_CHART.height - SIZE_CHART.bottom + 0.01);
            }
          }
          expect(scale.y(metric.b?.median ?? 1)).toBeLessThan(scale.y(metric.a?.median ?? 1));
        }
        expect(scale.values.length).toBeGreaterThan(0);
        expect(scale.values.length).toBeLessThanOrEqual(7);
      }),
    );
  });

  it('interrupts the line of a side where it was not measured, or measured nothing', () => {
    const given = series([
      [1, 10, 10],
      [2, null, 10],
      [4, 0, 10],
      [8, 10, 10],
      [16, 20, 10],
    ]);
    const scale = sizeScale(given);
    if (scale === null) throw new Error('no scale');
    expect(sideLine(given, 'a', scale).match(/[ML]/g)).toEqual(['M', 'M', 'L']);
    expect(sideLine(given, 'b', scale).match(/[ML]/g)).toEqual(['M', 'L', 'L', 'L', 'L']);
    expect(sizeScale(series([[1, null, 0]]))).toBeNull();
  });

  it.each([
    [1, 1000, [1, 10, 100, 1000]],
    [3, 30, [5, 10, 20]],
    [7.1, 7.2, [7.1, 7.2]],
  ])('has ticks from %f to %f', (low, high, ticks) => {
    expect(logTicks(low, high)).toEqual(ticks);
  });
});
