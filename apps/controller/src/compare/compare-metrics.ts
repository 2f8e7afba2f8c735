import { judgeRatio, type ComparedMetric, type SampleSpread } from '@peerlab/contracts';
import { compare } from '../grid/grid-rows.js';
import { ratioOf } from './median-ratio.js';
import { quartiles } from '../verdicts/statistics.js';

/** A measurement of one side; those that came later stand later. */
export interface SideMetric {
  suite: string;
  name: string;
  unit: string;
  better: 'lower' | 'higher';
  samples: number[];
  attempt_id: string;
  combination: string;
}

interface Pair<T> {
  a: T[];
  b: T[];
}

/** Every metric of either side by combination, sorted by suite and name. Pure. */
export function compareMetrics(
  a: readonly SideMetric[],
  b: readonly SideMetric[],
  hashes: readonly string[],
): ComparedMetric[] {
  const pairs = pairUp(a, b, ({ suite, name, unit, better, combination }) =>
    [suite, name, unit, better, combination].join('\n'),
  );
  const indexOf = new Map(hashes.map((hash, index) => [hash, index]));
  return pairs
    .flatMap((pair) => {
      const [first] = [...pair.a, ...pair.b];
      const combination = indexOf.get(first?.combination ?? '');
      if (first === undefined || combination === undefined) return [];
      const { suite, name, unit, better } = first;
      const samples = { a: pair.a.flatMap((each) => each.samples), b: pair.b.flatMap((each) => each.samples) };
      const ratio = ratioOf(samples.a, samples.b);
      return [
        {
          suite,
          name,
          unit,
          better,
          combination,
          a: spreadOf(pair.a, samples.a),
          b: spreadOf(pair.b, samples.b),
          ratio,
          ...judgeRatio(ratio, better, { a: samples.a.length, b: samples.b.length }),
        },
      ];
    })
    .toSorted((x, y) => compare(x.suite, y.suite) || compare(x.name, y.name) || x.combination - y.combination);
}

function pairUp<T>(a: readonly T[], b: readonly T[], keyOf: (each: T) => string): Pair<T>[] {
  const pairs = new Map<string, Pair<T>>();
  const put = (side: 'a' | 'b', each: T): void => {
    const key = keyOf(each);
    const pair = pairs.get(key) ?? { a: [], b: [] };
    pairs.set(key, pair);
    pair[side].push(each);
  };
  for (const each of a) put('a', each);
  for (const each of b) put('b', each);
  return [...pairs.values()];
}

function spreadOf(metrics: readonly SideMetric[], samples: readonly number[]): SampleSpread | null {
  const newest = metrics.at(-1);
  if (newest === undefined) return null;
  const attempts = new Set(metrics.map(({ attempt_id }) => attempt_id)).size;
  return { ...quartiles(samples), n: samples.length, attempts, attemptId: newest.attempt_id };
}
