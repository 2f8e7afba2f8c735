import {
  CHANGE_CLASSES,
  classOfChange,
  judgeRatio,
  worstVerdict,
  type ChangeClass,
  type ComparedMetric,
  type ComparedRow,
  type Outcome,
  type SampleSpread,
  type Verdict,
} from '@peerlab/contracts';
import { ratioOf } from './median-ratio.js';
import { quartiles } from './statistics.js';

/** A result of one side, with the attempt that has its evidence. */
export interface SideResult {
  suite: string;
  test: string;
  position: number;
  verdict: Verdict;
  reason: string | null;
  log: Outcome['log'];
  attempt_id: string;
  combination: string;
}

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

/**
 * Rows of both sides in the order of the suites, and how many are in each class, by index into
 * `hashes`. Results of combinations that are not among them are left out. Pure.
 */
export function compareResults(
  a: readonly SideResult[],
  b: readonly SideResult[],
  hashes: readonly string[],
): { rows: ComparedRow[]; counts: Record<ChangeClass, number>[] } {
  const pairs = pairUp(a, b, ({ suite, test, combination }) => [suite, test, combination].join('\n'));
  const indexOf = new Map(hashes.map((hash, index) => [hash, index]));
  const counts = hashes.map(
    () => Object.fromEntries(CHANGE_CLASSES.map((each) => [each, 0])) as Record<ChangeClass, number>,
  );
  const rows = pairs.flatMap((pair) => {
    const [first] = [...pair.a, ...pair.b];
    const combination = indexOf.get(first?.combination ?? '');
    const counted = counts[combination ?? -1];
    if (first === undefined || combination === undefined || counted === undefined) return [];
    const [left, right] = [outcomeOf(pair.a), outcomeOf(pair.b)];
    const change = classOfChange(left?.verdict ?? null, right?.verdict ?? null);
    counted[change] += 1;
    const position = Math.min(...[...pair.a, ...pair.b].map((result) => result.position));
    const { suite, test } = first;
    return [{ position, row: { suite, test, combination, class: change, a: left, b: right } }];
  });
  rows.sort(
    (x, y) =>
      x.position - y.position ||
      order(x.row.suite, y.row.suite) ||
      order(x.row.test, y.row.test) ||
      x.row.combination - y.row.combination,
  );
  return { rows: rows.map(({ row }) => row), counts };
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
    .toSorted((x, y) => order(x.suite, y.suite) || order(x.name, y.name) || x.combination - y.combination);
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

/** The worst of several results, with its evidence. */
function outcomeOf(results: readonly SideResult[]): Outcome | null {
  const worst = worstVerdict(results.map(({ verdict }) => verdict));
  const result = results.find(({ verdict }) => verdict === worst);
  if (result === undefined) return null;
  const { verdict, reason, log, attempt_id: attemptId } = result;
  return { verdict, reason, n: results.length, attemptId, log };
}

function spreadOf(metrics: readonly SideMetric[], samples: readonly number[]): SampleSpread | null {
  const newest = metrics.at(-1);
  if (newest === undefined) return null;
  const attempts = new Set(metrics.map(({ attempt_id }) => attempt_id)).size;
  return { ...quartiles(samples), n: samples.length, attempts, attemptId: newest.attempt_id };
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
