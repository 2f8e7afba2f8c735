import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leastP, LEVEL, medianOf, moreBootsNeeded, type Boot } from './boots.js';
import { effectOf } from './effect.js';
import { discoveries, judgeMetrics, type MetricSides } from './judge.js';
import { learnNoise, NO_NOISE, noiseFloor, noiseOfSides, noiseP, pairNoise, tQuantile, tTail } from './noise.js';

const boots = (side: string, values: readonly number[], { run = 'r', machine = 'm' } = {}): Boot[] =>
  values.map((value, index) => ({ attempt: `${side}${index}`, run, machine, value }));
const sides = (a: readonly number[], b: readonly number[], more: Partial<MetricSides> = {}): MetricSides => ({
  better: 'lower',
  a: boots('a', a),
  b: boots('b', b),
  noise: NO_NOISE,
  isSameKernel: false,
  ...more,
});
const judge = (...all: MetricSides[]) => judgeMetrics(all, { byMachine: true });
const FIVE = [100, 101, 99, 100.5, 99.5];
const times = (factor: number): number[] => FIVE.map((value) => value * factor);

describe('boots', () => {
  it('have a median', () => {
    expect([medianOf([3]), medianOf([1, 4]), medianOf([9, 1, 5])]).toEqual([3, 2.5, 5]);
  });
  it.each([
    [1, 1, 3],
    [2, 2, 2],
    [3, 3, 1],
    [3, 4, 0],
    [4, 4, 0],
    [2, 9, 1],
    [0, 1, 3],
  ])('%i and %i need %i more each before a verdict is possible', (a, b, more) => {
    expect(moreBootsNeeded({ a, b })).toBe(more);
    expect(moreBootsNeeded({ a: b, b: a })).toBe(more);
  });
  it('have the p-value that counting the deals gives', () => {
    expect(leastP([{ a: 3, b: 3 }])).toBeCloseTo(1 / 10);
    expect(leastP([{ a: 3, b: 4 }])).toBeCloseTo(1 / 35);
    expect(
      leastP([
        { a: 2, b: 2 },
        { a: 2, b: 2 },
      ]),
    ).toBeCloseTo(1 / 18);
    expect(leastP([{ a: 5, b: 0 }])).toBe(1);
  });
});

describe('a verdict', () => {
  it('is given for a change that five boots a side show, with ratio, interval and p-value', () => {
    const [up, down, same] = judge(sides(FIVE, times(1.1)), sides(FIVE, times(0.9)), sides(FIVE, times(1)));
    expect(up).toMatchObject({ says: 'worse', why: null, moreBoots: 0 });
    expect(up?.ratio?.value).toBeCloseTo(1.1);
    expect([up?.ratio?.low, up?.ratio?.high].every((end) => (end ?? 0) > 1.05 && (end ?? 2) < 1.15)).toBe(true);
    expect(up?.p).toBeLessThanOrEqual(LEVEL);
    expect(down).toMatchObject({ says: 'better', why: null });
    expect(same).toMatchObject({ says: 'unclear', why: 'noise' });
    expect(judge(sides(FIVE, times(1.1), { better: 'higher' }))[0]?.says).toBe('better');
  });
  it('turns round with the sides, and does not depend on the order of metrics, boots or on the unit', () => {
    const value = fc.double({ min: 90, max: 110, noNaN: true });
    const side = fc.array(value, { minLength: 3, maxLength: 6 });
    fc.assert(
      fc.property(side, side, side, side, (a, b, c, d) => {
        const there = judge(sides(a, b), sides(c, d));
        const back = judge(sides(d, c), sides(b, a)).toReversed();
        const swapped = (one: Boot[]): Boot[] => one.toReversed();
        const plain = sides(a, b);
        const scaled = judge({ ...plain, a: swapped([...plain.a]), b: swapped([...plain.b]) }, sides(c, d));
        there.forEach((each, index) => {
          const [other, same] = [back[index], scaled[index]];
          const opposite = { better: 'worse', worse: 'better', unclear: 'unclear' } as const;
          // The boots of the swapped sides are named by their side, so that only the verdict has to be the same.
          if (each.p !== null && Math.abs(each.p - LEVEL) > 0.03) expect(other?.says).toBe(opposite[each.says]);
          expect((each.ratio?.value ?? 0) * (other?.ratio?.value ?? 0)).toBeCloseTo(1, 9);
          expect(same).toEqual(each);
        });
      }),
      { numRuns: 30 },
    );
  });
  it('is not given below three boots a side, nor where the test cannot reach its level: it says how many are missing', () => {
    const of = (n: number, m: number) => judge(sides(FIVE.slice(0, n), times(2).slice(0, m)))[0];
    expect(of(1, 1)).toMatchObject({ says: 'unclear', why: 'few-boots', moreBoots: 3, p: null });
    expect(of(2, 5)).toMatchObject({ says: 'unclear', why: 'few-boots', moreBoots: 1 });
    expect(of(3, 3)).toMatchObject({ says: 'unclear', why: 'few-boots', moreBoots: 1 });
    expect(of(4, 4)).toMatchObject({ says: 'worse' });
    expect(of(1, 1)?.ratio).toEqual({ value: expect.closeTo(2), low: null, high: null });
  });
  it('is never given between boots of one kernel, however far apart they are', () => {
    expect(judge(sides(FIVE, times(3), { isSameKernel: true }))[0]).toMatchObject({
      says: 'unclear',
      why: 'same-kernel',
    });
  });
  it('is not given for what is certain and of no interest', () => {
    const exact = [100, 100, 100, 100, 100];
    expect(
      judge(
        sides(
          exact,
          exact.map((value) => value * 1.005),
        ),
      )[0],
    ).toMatchObject({ says: 'unclear', why: 'small' });
    expect(
      judge(
        sides(
          exact,
          exact.map((value) => value * 1.02),
        ),
      )[0],
    ).toMatchObject({ says: 'worse' });
    expect(judge(sides(exact, exact))[0]).toMatchObject({ says: 'unclear', why: 'noise' });
  });
  it('is not given for what the machines differ in', () => {
    const far = boots('b', times(2), { machine: 'other' });
    expect(judge(sides(FIVE, [], { b: far }))[0]).toMatchObject({ says: 'unclear', why: 'other-machines' });
    expect(judgeMetrics([sides(FIVE, [], { b: far })], { byMachine: false })[0]?.says).toBe('worse');
    // Machine two is twice as slow, and side B ran on it more often.
    const slow = (side: string, count: number): Boot[] =>
      boots(`${side}-two-`, times(2).slice(0, count), { machine: 'two' });
    const mixed = sides([], [], {
      a: [...boots('a', FIVE), ...slow('a', 3)],
      b: [...boots('b', FIVE.slice(0, 3)), ...slow('b', 5)],
    });
    const [judged] = judge(mixed);
    expect(judged).toMatchObject({ says: 'unclear', why: 'noise' });
    expect(judged?.ratio?.value).toBeCloseTo(1, 1);
  });
  it('needs values above zero, and values at all', () => {
    expect(judge(sides([0, ...FIVE], FIVE))[0]).toMatchObject({ says: 'unclear', why: 'no-ratio', ratio: null });
    expect(judge(sides([], FIVE))[0]).toMatchObject({ says: 'unclear', why: 'one-sided', ratio: null });
  });
});

describe('the ratio', () => {
  it('lies in its interval, and is the inverse when the sides are swapped', () => {
    const side = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 3, maxLength: 8 });
    fc.assert(
      fc.property(side, side, (a, b) => {
        const [left, right] = [boots('a', a), boots('b', b)];
        const [there, back] = [effectOf(left, right), effectOf(right, left)];
        expect(there?.low).toBeLessThanOrEqual((there?.value ?? 0) * (1 + 1e-12));
        expect(there?.high).toBeGreaterThanOrEqual((there?.value ?? 0) * (1 - 1e-12));
        expect((there?.value ?? 0) * (back?.value ?? 0)).toBeCloseTo(1, 9);
        expect((there?.low ?? 0) * (back?.high ?? 0)).toBeCloseTo(1, 9);
      }),
    );
  });
});

describe('noise', () => {
  const stored = (run: string, values: readonly number[], buildId = 'k') =>
    boots(run, values, { run }).map((boot) => ({ ...boot, buildId }));

  it('is learnt from boots of one kernel only, within runs and between them', () => {
    const noise = learnNoise([
      ...stored('one', [100, 102]),
      ...stored('two', [110, 112]),
      ...stored('x', [500], 'other'),
    ]);
    expect(noise.boots.freedom).toBe(2);
    expect(noise.runs.freedom).toBe(1);
    expect(noise.runs.squares).toBeGreaterThan(noise.boots.squares);
    expect(pairNoise(noise)).toBeGreaterThan(0.05);
    expect(pairNoise(learnNoise(stored('one', [100])))).toBeNull();
    expect(learnNoise(stored('one', [0, -1, 5]))).toEqual(NO_NOISE);
  });
  it('between runs is part of what sides of different runs must exceed, known or not', () => {
    const own = boots('b', times(1.05), { run: 'later' });
    expect(judge(sides(FIVE, times(1.05)))[0]).toMatchObject({ says: 'worse' });
    const unknown = judge(sides(FIVE, [], { b: own }))[0];
    expect(unknown).toMatchObject({ says: 'unclear', why: 'noise' });
    expect(unknown?.least).toBeGreaterThan(0.05);
    const runs = Array.from({ length: 12 }, (_, index) => stored(`run ${index}`, [100 + (index % 3) * 0.1])).flat();
    expect(judge(sides(FIVE, [], { b: own, noise: learnNoise(runs) }))[0]).toMatchObject({ says: 'worse' });
  });
  it('shrinks with boots of the same runs', () => {
    const noise = learnNoise(stored('one', FIVE));
    const floor = (n: number) =>
      noiseFloor(noiseOfSides(noise, boots('a', FIVE.slice(0, n)), boots('b', FIVE.slice(0, n))));
    expect(floor(1)).toBeCloseTo(2 * floor(4), 9);
    expect(noiseP(noiseOfSides(noise, boots('a', FIVE), boots('b', FIVE)), floor(5))).toBeCloseTo(LEVEL, 2);
  });
  it('uses the quantiles of the t distribution', () => {
    for (const [freedom, expected] of [
      [3, 3.182],
      [5, 2.571],
      [10, 2.228],
      [30, 2.042],
    ] as const) {
      expect(tQuantile(freedom) / expected).toBeCloseTo(1, 1);
      expect(Math.abs(tQuantile(freedom) / expected - 1)).toBeLessThan(0.01);
      expect(tTail(expected, freedom)).toBeCloseTo(0.05, 4);
    }
    expect([tTail(0, 4), tTail(1, 1), tTail(31.6, 2)].map((p) => p.toFixed(3))).toEqual(['1.000', '0.500', '0.001']);
  });
});

it('false discoveries are limited among all metrics of a page', () => {
  expect(discoveries([0.01, 0.04, null, 0.03, 0.9])).toEqual([true, false, false, false, false]);
  expect(discoveries([0.01, 0.02, 0.03, 0.035])).toEqual([true, true, true, true]);
  expect(discoveries([null])).toEqual([false]);
});
