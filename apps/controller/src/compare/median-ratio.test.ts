import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ratioOf } from './median-ratio.js';

const samples = (minLength = 1, maxLength = 30) =>
  fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength, maxLength });

describe('ratioOf', () => {
  it('is the median of all quotients, between the ends of its interval', () => {
    fc.assert(
      fc.property(samples(1, 9), samples(1, 9), (a, b) => {
        const quotients = a.flatMap((x) => b.map((y) => y / x)).toSorted((x, y) => x - y);
        const [low, high] = [quotients[Math.ceil(quotients.length / 2) - 1], quotients[quotients.length >> 1]];
        const ratio = ratioOf(a, b);
        expect((ratio?.value ?? 0) / Math.sqrt((low ?? 0) * (high ?? 0))).toBeCloseTo(1, 9);
        if (ratio?.low == null || ratio.high === null) return;
        expect(ratio.low).toBeLessThanOrEqual(ratio.value);
        expect(ratio.high).toBeGreaterThanOrEqual(ratio.value);
        expect(quotients).toContain(ratio.low);
        expect(quotients).toContain(ratio.high);
      }),
    );
  });

  it('is the inverse when the sides are swapped', () => {
    fc.assert(
      fc.property(samples(), samples(), (a, b) => {
        const [there, back] = [ratioOf(a, b), ratioOf(b, a)];
        const near = (x: number | null | undefined, y: number | null | undefined): void => {
          if (x == null || y == null) expect(x).toBe(y);
          else expect(x * y).toBeCloseTo(1, 9);
        };
        near(there?.value, back?.value);
        near(there?.low, back?.high);
        near(there?.high, back?.low);
      }),
    );
  });

  it('grows with b and does not care for the unit', () => {
    fc.assert(
      fc.property(samples(4), samples(4), fc.integer({ min: -8, max: 8 }), (a, b, power) => {
        const factor = 2 ** power;
        const plain = ratioOf(a, b);
        const larger = ratioOf(
          a,
          b.map((value) => value * factor),
        );
        expect(larger?.low).toBe((plain?.low ?? 0) * factor);
        expect(larger?.high).toBe((plain?.high ?? 0) * factor);
        const units = ratioOf(
          a.map((value) => value * factor),
          b.map((value) => value * factor),
        );
        expect(units).toEqual(plain);
      }),
    );
  });

  it('never takes a sample for different from itself', () => {
    fc.assert(
      fc.property(samples(4), (a) => {
        const ratio = ratioOf(a, a);
        expect(ratio?.low).toBeLessThanOrEqual(1);
        expect(ratio?.high).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it.each([
    // Ranks of the ends by the tables of the Mann–Whitney test at 5 %, two-sided: critical U + 1.
    [4, 4, 1],
    [5, 5, 3],
    [8, 8, 14],
    [10, 10, 24],
    [20, 20, 128],
  ])('%i and %i samples: the ends are the quotients of rank %i', (n, m, rank) => {
    // Every quotient differs: powers of two that cannot meet.
    const a = Array.from({ length: n }, (_, index) => 2 ** (index / 64));
    const b = Array.from({ length: m }, (_, index) => 3 * 2 ** ((index * n) / 64));
    const quotients = a.flatMap((x) => b.map((y) => y / x)).toSorted((x, y) => x - y);
    expect(ratioOf(a, b)).toMatchObject({ low: quotients[rank - 1], high: quotients[n * m - rank] });
  });

  it('agrees with the counted ranks where it begins to approximate', () => {
    const of = (n: number): number[] => Array.from({ length: n }, (_, index) => 1 + index / 100);
    const [exact, near] = [ratioOf(of(20), of(20)), ratioOf(of(21), of(21))];
    expect(near?.low).toBeCloseTo(exact?.low ?? 0, 2);
    expect(near?.high).toBeCloseTo(exact?.high ?? 0, 2);
  });

  it('has no interval for three samples, and no ratio without samples above zero', () => {
    expect(ratioOf([1, 2, 3], [4, 5, 6])).toEqual({ value: 2.5, low: null, high: null });
    expect(ratioOf([], [1])).toBeNull();
    expect(ratioOf([1, 0], [1])).toBeNull();
    expect(ratioOf([1], [-1])).toBeNull();
  });

  it('covers the true ratio as often as it says', () => {
    let state = 7;
    const draw = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.exp(state / 2 ** 32);
    };
    const rounds = 2000;
    let covered = 0;
    for (let round = 0; round < rounds; round += 1) {
      const a = Array.from({ length: 6 }, draw);
      const b = Array.from({ length: 7 }, () => 1.5 * draw());
      const ratio = ratioOf(a, b);
      if ((ratio?.low ?? 0) <= 1.5 && (ratio?.high ?? 0) >= 1.5) covered += 1;
    }
    expect(covered / rounds).toBeGreaterThan(0.94);
    expect(covered / rounds).toBeLessThan(0.99);
  });

  it('takes the largest measurement that there can be', () => {
    const of = (factor: number): number[] =>
      Array.from({ length: 10_000 }, (_, index) => factor * (100 + (index % 97)));
    const ratio = ratioOf(of(1), of(2));
    expect(ratio?.low).toBeGreaterThan(1.9);
    expect(ratio?.high).toBeLessThan(2.1);
  });
});
