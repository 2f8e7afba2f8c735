import { describe, expect, it } from 'vitest';
import { judgeTwins, type TwinMetric } from './outliers.js';
import type { Boot } from './significance/boots.js';
import { LEVEL } from './significance/boots.js';
import { NO_NOISE } from './significance/noise.js';
import { seededRandom, type Random } from './significance/random.js';

const METRICS = 24;
const BOOTS = 5;
/** 200 for the figures of SIGNIFICANCE.md. */
const PAGES = Number(process.env['PAGES'] ?? 20);

const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`);
const boots = (machine: string, values: readonly number[]): Boot[] =>
  values.map((value, index) => ({ attempt: `${machine} ${index}`, run: 'r', machine, value }));
const metric = (...all: Boot[][]): TwinMetric => ({ better: 'lower', boots: all.flat(), noise: NO_NOISE });
const FIVE = [100, 101, 99, 100.5, 99.5];
const times = (factor: number): number[] => FIVE.map((value) => value * factor);

/** Metrics of machines that are alike, or of which the last is slower in the first metric; a boot's luck is in all metrics. */
function page(random: Random, machines: number, factor = 1): TwinMetric[] {
  const luck = names(machines).map(() => Array.from({ length: BOOTS }, () => 0.02 * normal(random)));
  return Array.from({ length: METRICS }, (_, index) =>
    metric(
      ...names(machines).map((name, at) =>
        boots(
          name,
          (luck[at] ?? []).map(
            (own) => 100 * Math.exp(own + 0.01 * normal(random)) * (index === 0 && at === machines - 1 ? factor : 1),
          ),
        ),
      ),
    ),
  );
}

describe('a machine with the same hardware as others', () => {
  it('stands out where its boots are unlike theirs, and is named with how far and which way', () => {
    const [slow, fast, same] = judgeTwins([
      metric(boots('a', FIVE), boots('b', times(1.2)), boots('c', times(1.001))),
      metric(boots('a', times(0.5)), boots('b', FIVE), boots('c', FIVE)),
      metric(boots('a', FIVE), boots('b', times(1.001)), boots('c', FIVE)),
    ]);
    expect(slow).toMatchObject({ machine: 'b', says: 'worse', why: null, moreBoots: 0 });
    expect(slow?.ratio?.value).toBeCloseTo(1.2, 1);
    expect(slow?.p).toBeLessThanOrEqual(LEVEL);
    expect(fast).toMatchObject({ machine: 'a', says: 'better' });
    expect(same).toMatchObject({ machine: null, says: 'unclear', why: 'noise' });
  });

  it('of two that differ neither is the odd one: the second is compared with the first', () => {
    expect(judgeTwins([metric(boots('a', times(1.2)), boots('b', FIVE))])[0]).toMatchObject({
      machine: 'b',
      says: 'better',
    });
  });

  it('does not stand out on few boots, alone, or by what is of no interest', () => {
    const few = metric(boots('a', FIVE), boots('b', times(3).slice(0, 1)), boots('c', FIVE));
    expect(judgeTwins([few])[0]).toMatchObject({ machine: null, why: 'few-boots', moreBoots: 2 });
    expect(judgeTwins([metric(boots('a', FIVE))])[0]).toMatchObject({ machine: null, why: 'one-sided' });
    const exact = [100, 100, 100, 100, 100];
    const small = metric(
      boots('a', exact),
      boots('b', exact),
      boots(
        'c',
        exact.map((value) => value * 1.005),
      ),
    );
    expect(judgeTwins([small])[0]).toMatchObject({ machine: null, why: 'small' });
    expect(judgeTwins([])).toEqual([]);
  });

  it.each([2, 3, 6])('is seldom named when all %i are alike, and found when one is not', (machines) => {
    const random = seededRandom(machines);
    const wrong = Array.from({ length: PAGES }, () =>
      judgeTwins(page(random, machines)).some((each) => each.machine !== null),
    ).filter(Boolean).length;
    const found = Array.from({ length: PAGES }, () => {
      const [first] = judgeTwins(page(random, machines, 1.25));
      return first?.machine === `m${machines - 1}` && first.says === 'worse';
    }).filter(Boolean).length;
    // eslint-disable-next-line no-console
    if (process.env['DRAW_FIGURES']) console.log(`| ${machines} | ${wrong} of ${PAGES} | ${found} of ${PAGES} |`);
    // The limit and twice the error of the count.
    expect(wrong / PAGES).toBeLessThanOrEqual(LEVEL + 2 * Math.sqrt((LEVEL * (1 - LEVEL)) / PAGES));
    expect(found / PAGES).toBeGreaterThanOrEqual(0.9);
  });
});
