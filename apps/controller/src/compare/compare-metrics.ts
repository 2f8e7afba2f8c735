import {
  judgeMetrics,
  medianOf,
  NO_NOISE,
  ofRole,
  type BootSpread,
  type ComparedMetric,
  type MetricNoise,
} from '@peerlab/contracts';
import { compare } from '../grid/grid-rows.js';
import { bootsOf, metricKey, sizeOfMetric, type SizedMetric } from '../grid/measured-boots.js';

interface ComparedSides {
  a: readonly SizedMetric[];
  b: readonly SizedMetric[];
  /** By metricKey. */
  noise: ReadonlyMap<string, MetricNoise>;
  /** Whether all of these attempts, of both sides, booted the same. */
  isSameKernel: (attempts: readonly string[]) => boolean;
  /** See JudgeOptions. */
  byMachine: boolean;
}

/** Every metric of either side by combination (of `hashes`), judged together, sorted by suite, name and role. Pure. */
export function compareMetrics(
  { a, b, noise, isSameKernel, byMachine }: ComparedSides,
  hashes: readonly string[],
): ComparedMetric[] {
  const pairs = pairUp(a, b);
  const indexOf = new Map(hashes.map((hash, index) => [hash, index]));
  const compared = [...pairs].flatMap(([key, pair]) => {
    const [first] = [...pair.a, ...pair.b];
    const combination = indexOf.get(first?.combination ?? '');
    if (first === undefined || combination === undefined) return [];
    const { suite, name, unit, better } = first;
    const metric = { suite, name, ...ofRole(first), size: sizeOfMetric(first), unit, better, combination };
    return [{ key, pair, metric }];
  });
  const judged = judgeMetrics(
    compared.map(({ key, pair, metric: { better } }) => {
      const [bootsA, bootsB] = [bootsOf(pair.a), bootsOf(pair.b)];
      return {
        better,
        a: bootsA,
        b: bootsB,
        noise: noise.get(key) ?? NO_NOISE,
        isSameKernel: isSameKernel([...bootsA, ...bootsB].map(({ attempt }) => attempt)),
      };
    }),
    { byMachine },
  );
  return compared
    .flatMap(({ pair, metric }, index): ComparedMetric[] => {
      const judgement = judged[index];
      return judgement === undefined ? [] : [{ ...metric, a: spreadOf(pair.a), b: spreadOf(pair.b), ...judgement }];
    })
    .toSorted(
      (x, y) =>
        compare(x.suite, y.suite) ||
        compare(x.name, y.name) ||
        compare(x.role ?? '', y.role ?? '') ||
        x.combination - y.combination,
    );
}

interface Pair {
  a: SizedMetric[];
  b: SizedMetric[];
}

function pairUp(a: readonly SizedMetric[], b: readonly SizedMetric[]): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  const put = (side: 'a' | 'b', each: SizedMetric): void => {
    const key = metricKey(each);
    const pair = pairs.get(key) ?? { a: [], b: [] };
    pairs.set(key, pair);
    pair[side].push(each);
  };
  for (const each of a) put('a', each);
  for (const each of b) put('b', each);
  return pairs;
}

/** A side by its boots; null without any. */
export function spreadOf(metrics: readonly SizedMetric[]): BootSpread | null {
  const newest = metrics.at(-1);
  if (newest === undefined) return null;
  const values = bootsOf(metrics).map(({ value }) => value);
  return {
    median: medianOf(values),
    lowest: Math.min(...values),
    highest: Math.max(...values),
    boots: values.length,
    n: metrics.reduce((sum, { n }) => sum + n, 0),
    attemptId: newest.attempt_id,
  };
}
