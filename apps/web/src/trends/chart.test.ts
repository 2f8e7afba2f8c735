import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bandPath,
  CHART,
  chartScale,
  comparableAxis,
  kernelStripes,
  medianPath,
  niceTicks,
  percentText,
  tickTexts,
  type Axis,
} from './chart.js';

const spread = (median: number, reach = 1) => ({
  median,
  lowerQuartile: median - reach,
  upperQuartile: median + reach,
});
const finite = fc.double({ min: -1e9, max: 1e9, noNaN: true });

describe('niceTicks', () => {
  it.each([
    [0, 100, [0, 50, 100]],
    [260, 290, [260, 270, 280, 290]],
    [0.8, 2.3, [0.5, 1, 1.5, 2, 2.5]],
    [0, 0, [-1, -0.5, 0, 0.5, 1]],
  ])('from %d to %d', (from, to, ticks) => expect(niceTicks(from, to)).toEqual(ticks));

  it('give a flat line room on both sides', () => {
    const ticks = niceTicks(5, 5);
    expect(ticks[0]).toBeLessThan(5);
    expect(ticks.at(-1)).toBeGreaterThan(5);
  });

  it('enclose both ends, ascend, and are few', () => {
    fc.assert(
      fc.property(finite, finite, (x, y) => {
        const [from, to] = x <= y ? [x, y] : [y, x];
        const ticks = niceTicks(from, to);
        const room = Math.max(Math.abs(from), Math.abs(to)) * 1e-9;
        expect(ticks[0]).toBeLessThanOrEqual(from + room);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(to - room);
        expect(ticks.length).toBeLessThanOrEqual(8);
        expect(ticks).toEqual(ticks.toSorted((a, b) => a - b));
      }),
    );
  });
});

it.each([
  [
    [10_000, 15_000],
    ['10\u202f000', '15\u202f000'],
  ],
  [
    [275.1, 275.2],
    ['275.1', '275.2'],
  ],
  [
    [0, 0.05],
    ['0.00', '0.05'],
  ],
  [
    [0, 1e-12],
    ['0', '1e-12'],
  ],
])('ticks %j read %j', (ticks, texts) => expect(tickTexts(ticks)).toEqual(texts));

describe('chartScale', () => {
  it('keeps every point and its quartiles inside the chart', () => {
    const points = fc.array(fc.tuple(finite, fc.double({ min: 0, max: 1e6, noNaN: true })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(points, fc.constantFrom<Axis>('own', 'zero', { factor: 3 }), (drawn, axis) => {
        const spreads = drawn.map(([median, reach]) => spread(median, reach));
        const { x, y } = chartScale(spreads, axis);
        spreads.forEach(({ lowerQuartile, upperQuartile }, index) => {
          for (const value of [lowerQuartile, upperQuartile]) {
            expect(y(value)).toBeGreaterThanOrEqual(CHART.top - 0.01);
            expect(y(value)).toBeLessThanOrEqual(CHART.height - CHART.bottom + 0.01);
          }
          expect(x(index)).toBeGreaterThan(CHART.left);
          expect(x(index)).toBeLessThan(CHART.width - CHART.right);
        });
      }),
    );
  });

  it('begins at zero when asked, and larger values stand higher', () => {
    const points = [spread(275), spread(280)];
    expect(chartScale(points, 'zero').ticks[0]).toBe(0);
    expect(chartScale(points, 'own').ticks[0]).toBeGreaterThan(200);
    const { y } = chartScale(points, 'own');
    expect(y(280)).toBeLessThan(y(275));
  });
});

it('axes that compare span the factor of the line that moved most, and none where a line would be flat', () => {
  const [calm, moved] = [
    [spread(100, 0), spread(101, 0)],
    [spread(10, 0), spread(20, 0)],
  ];
  const axis = comparableAxis([calm, moved]);
  expect(axis).toEqual({ factor: 2 });
  const ticks = chartScale(calm, axis).ticks;
  expect((ticks.at(-1) ?? 0) / (ticks[0] ?? 1)).toBeGreaterThanOrEqual(1.9);
  expect(comparableAxis([calm, [spread(1, 0), spread(54, 0)]])).toBe('own');
  expect(comparableAxis([calm, [spread(0, 0)]])).toBe('own');
});

it('paths go through every point, and a band needs two', () => {
  const points = [spread(10), spread(20), spread(15)];
  const scale = chartScale(points, 'own');
  expect(medianPath(points, scale).split(/[ML]/)).toHaveLength(4);
  expect(bandPath(points, scale).split(/[ML]/)).toHaveLength(7);
  expect(bandPath(points.slice(0, 1), scale)).toBe('');
});

it('stripes join neighbours of one kernel only', () => {
  const of = (buildId: string | null) => ({
    kernel: { id: '00000000-0000-4000-8000-000000000000', name: 'b', release: null, buildId, git: null },
  });
  expect(kernelStripes([of('x'), of('x'), of(null), of('x')])).toEqual([
    { from: 0, to: 1, buildId: 'x', release: null },
    { from: 2, to: 2, buildId: null, release: null },
    { from: 3, to: 3, buildId: 'x', release: null },
  ]);
});

it.each([
  [100, 112, '+12 %'],
  [100, 91.6, '−8.4 %'],
  [100, 100, '+0.0 %'],
  [0, 5, ''],
])('from %d to %d is %s', (before, after, text) => expect(percentText(before, after)).toBe(text));
