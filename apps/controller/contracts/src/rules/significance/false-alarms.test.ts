import { describe, expect, it } from 'vitest';
import type { Boot } from './boots.js';
import { judgeMetrics, type MetricSides } from './judge.js';
import { learnNoise, NO_NOISE, type StoredBoot } from './noise.js';
import { seededRandom, type Random } from './random.js';

/**
 * How often pages without any change are badged, by simulation with fixed seeds. The figures are in
 * apps/controller/contracts/SIGNIFICANCE.md: DRAW_FIGURES=1 prints them.
 */

const METRICS = 48;
/** 600 for the figures of the document. */
const PAGES = Number(process.env['PAGES'] ?? 30);
const LIMIT = 0.05;

const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** Student's t with two degrees of freedom: no variance at all. */
const heavy = (random: Random): number => {
  const u = random() * 2 - 1;
  return (u * Math.SQRT2) / Math.sqrt(1 - u * u + 1e-9);
};

/** Logarithm of what a metric is in a boot: of the boot's own luck, its place in the run, and the metric's noise. */
type Model = (random: Random, boot: { place: number; luck: number; metric: number }) => number;

const MODELS: Record<string, Model> = {
  'normal, 1 %': (random) => 0.01 * normal(random),
  'heavy tails (t, 2 degrees)': (random) => 0.01 * heavy(random),
  'two modes 10 % apart': (random) => (random() < 0.4 ? 0.1 : 0) + 0.002 * normal(random),
  'all metrics of a boot shifted by 3 %': (random, { luck }) => 0.03 * luck + 0.005 * normal(random),
  'drift of 5 % over the run': (random, { place }) => 0.05 * place + 0.01 * normal(random),
  'half of the metrics without noise': (random, { metric }) => (metric % 2 === 0 ? 0 : 0.02 * heavy(random)),
};

/** Boots of a page in the order they ran, by metric. */
function page(random: Random, count: number, model: Model, run = 'r'): Boot[][] {
  const luck = Array.from({ length: count }, () => normal(random));
  return Array.from({ length: METRICS }, (_, metric) =>
    luck.map((own, index) => {
      const value = 100 * Math.exp(model(random, { place: index / count, luck: own, metric }));
      return { attempt: `${run} ${String(index).padStart(2, '0')}`, run, machine: 'm', value };
    }),
  );
}

/** A B A B …: the boots of both sides take turns. */
const interleaved = (boots: readonly Boot[], isB: boolean): Boot[] =>
  boots.filter((_, index) => (index % 2 === 1) === isB);

function share(pages: readonly MetricSides[][]): { metrics: number; pages: number } {
  const badged = pages.map(
    (all) => judgeMetrics(all, { byMachine: true }).filter(({ says }) => says !== 'unclear').length,
  );
  const sum = badged.reduce((total, each) => total + each, 0);
  return { metrics: sum / pages.length / METRICS, pages: badged.filter((each) => each > 0).length / pages.length };
}

const figures = (name: string, { metrics, pages }: { metrics: number; pages: number }): void => {
  // eslint-disable-next-line no-console
  if (process.env['DRAW_FIGURES'])
    console.log(`| ${name} | ${(metrics * 100).toFixed(2)} % | ${(pages * 100).toFixed(0)} % |`);
};

describe('boots of one kernel, called by two names', () => {
  for (const repeat of process.env['DRAW_FIGURES'] ? [4, 5, 8] : [5]) {
    it.each(Object.entries(MODELS))(`${repeat} boots a side, interleaved: %s`, (name, model) => {
      const random = seededRandom(repeat * 1000 + name.length);
      const pages = Array.from({ length: PAGES }, () =>
        page(random, 2 * repeat, model).map(
          (boots): MetricSides => ({
            better: 'lower',
            a: interleaved(boots, false),
            b: interleaved(boots, true),
            noise: NO_NOISE,
            isSameKernel: false,
          }),
        ),
      );
      const found = share(pages);
      figures(`${repeat} boots a side, ${name}`, found);
      // The limit and twice the error of the count.
      expect(found.pages).toBeLessThanOrEqual(LIMIT + 2 * Math.sqrt((LIMIT * (1 - LIMIT)) / PAGES));
    });
  }

  it.each([
    ['runs 0.5 % apart', 0.005, 0],
    ['runs 2 % apart, none of the kernel known', 0.02, 0],
    ['runs 2 % apart, five of the kernel known', 0.02, 5],
    ['runs 5 % apart, ten of the kernel known', 0.05, 10],
  ])('sides of two runs: %s', (name, deviation, known) => {
    const random = seededRandom(name.length + known);
    const model: Model = (own) => 0.005 * heavy(own);
    const shifted = (run: string): Boot[][] =>
      page(random, 5, model, run).map((boots) => {
        const shift = Math.exp(deviation * normal(random));
        return boots.map((boot) => ({ ...boot, value: boot.value * shift }));
      });
    const pages = Array.from({ length: PAGES }, () => {
      const history = Array.from({ length: known }, (_, index) => shifted(`known ${index}`));
      const [a, b] = [shifted('a'), shifted('b')];
      return a.map((boots, metric): MetricSides => {
        const stored = history.flatMap((run): StoredBoot[] =>
          (run[metric] ?? []).map((boot) => ({ ...boot, buildId: 'known' })),
        );
        return { better: 'lower', a: boots, b: b[metric] ?? [], noise: learnNoise(stored), isSameKernel: false };
      });
    });
    const found = share(pages);
    figures(name, found);
    expect(found.metrics).toBeLessThanOrEqual(LIMIT);
  });
});

describe('a change of one metric in 48', () => {
  it.each([
    [0.03, 0.005, 5, 0.9],
    [0.1, 0.015, 5, 0.9],
    [0.03, 0.01, 10, 0.9],
  ])('of %d with boots that differ by %d is found with %i boots a side', (change, deviation, repeat, least) => {
    const random = seededRandom(repeat + change * 1000);
    const found = Array.from({ length: PAGES }, () => {
      const all = page(random, 2 * repeat, (own) => deviation * normal(own)).map((boots, metric): MetricSides => {
        const factor = metric === 7 ? 1 + change : 1;
        const b = interleaved(boots, true).map((boot) => ({ ...boot, value: boot.value * factor }));
        return { better: 'lower', a: interleaved(boots, false), b, noise: NO_NOISE, isSameKernel: false };
      });
      return judgeMetrics(all, { byMachine: true })[7]?.says === 'worse';
    }).filter(Boolean).length;
    // eslint-disable-next-line no-console
    if (process.env['DRAW_FIGURES']) console.log(`${change} ${deviation} ${repeat}: found ${found} of ${PAGES}`);
    expect(found / PAGES).toBeGreaterThanOrEqual(least);
  });
});
