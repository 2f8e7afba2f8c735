import {
  judgeMetrics,
  medianOf,
  NO_NOISE,
  type Boot,
  type BootSpread,
  type ComparedMetric,
  type MetricNoise,
} from '@peerlab/contracts';
import { compare } from '../grid/grid-rows.js';

/** What identifies a metric on a combination: values of other units or directions are not compared. */
export interface MetricKey {
  suite: string;
  name: string;
  unit: string;
  better: 'lower' | 'higher';
  combination: string;
}

/** A measurement of one boot on one side; those that came later stand later. */
export interface SideMetric extends MetricKey {
  median: number;
  /** Samples. */
  n: number;
  attempt_id: string;
  run_id: string;
  machine: string;
}

export const metricKey = ({ suite, name, unit, better, combination }: MetricKey): string =>
  [suite, name, unit, better, combination].join('\n');

interface ComparedSides {
  a: readonly SideMetric[];
  b: readonly SideMetric[];
  /** By metricKey. */
  noise: ReadonlyMap<string, MetricNoise>;
  isSameKernel: boolean;
  /** See JudgeOptions. */
  byMachine: boolean;
}

/** Every metric of either side by combination (of `hashes`), judged together, sorted by suite and name. Pure. */
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
    return [{ key, pair, metric: { suite, name, unit, better, combination } }];
  });
  const judged = judgeMetrics(
    compared.map(({ key, pair, metric: { better } }) => ({
      better,
      a: bootsOf(pair.a),
      b: bootsOf(pair.b),
      noise: noise.get(key) ?? NO_NOISE,
      isSameKernel,
    })),
    { byMachine },
  );
  return compared
    .flatMap(({ pair, metric }, index): ComparedMetric[] => {
      const judgement = judged[index];
      return judgement === undefined ? [] : [{ ...metric, a: spreadOf(pair.a), b: spreadOf(pair.b), ...judgement }];
    })
    .toSorted((x, y) => compare(x.suite, y.suite) || compare(x.name, y.name) || x.combination - y.combination);
}

interface Pair {
  a: SideMetric[];
  b: SideMetric[];
}

function pairUp(a: readonly SideMetric[], b: readonly SideMetric[]): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  const put = (side: 'a' | 'b', each: SideMetric): void => {
    const key = metricKey(each);
    const pair = pairs.get(key) ?? { a: [], b: [] };
    pairs.set(key, pair);
    pair[side].push(each);
  };
  for (const each of a) put('a', each);
  for (const each of b) put('b', each);
  return pairs;
}

/** One value for each boot: a boot that measured a metric more than once counts once. */
export function bootsOf(metrics: readonly Pick<SideMetric, 'attempt_id' | 'run_id' | 'machine' | 'median'>[]): Boot[] {
  const boots = new Map<string, { run: string; machine: string; values: number[] }>();
  for (const { attempt_id: attempt, run_id: run, machine, median } of metrics) {
    const boot = boots.get(attempt) ?? { run, machine, values: [] };
    boots.set(attempt, boot);
    boot.values.push(median);
  }
  return [...boots].map(([attempt, { run, machine, values }]) => ({ attempt, run, machine, value: medianOf(values) }));
}

function spreadOf(metrics: readonly SideMetric[]): BootSpread | null {
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
