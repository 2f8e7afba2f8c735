import type { WhyUnclear } from '../../schema/compare.js';
import type { MetricNoise } from '../../schema/metric.js';
import { effectOf, type Effect } from './effect.js';
import { BOOTS_MIN, leastP, LEVEL, moreBootsNeeded, RELEVANCE, type Boot, type Shares } from './boots.js';
import { noiseFloor, noiseOfSides, noiseP, pairNoise } from './noise.js';
import { adjustedPValues, type Deal } from './permutation.js';

/** One metric of a page: the boots of both sides, and what is known of its noise. */
export interface MetricSides {
  better: 'lower' | 'higher';
  a: readonly Boot[];
  b: readonly Boot[];
  noise: MetricNoise;
  /** Both sides are one build-id. */
  isSameKernel: boolean;
}

/** What the boots say of a metric. */
export interface Judgement {
  ratio: Effect | null;
  says: 'better' | 'worse' | 'unclear';
  /** Null with a verdict. */
  why: WhyUnclear | null;
  /** Adjusted for all metrics of the page; null when it was not tested. */
  p: number | null;
  /** The smallest relative change that counts here: 0.02 = 2 %. */
  least: number;
  /** How far two boots of one kernel differ in 95 of 100 cases, as such a change; null while it is not known. */
  noise: number | null;
  /** How many more boots each side needs before a verdict is possible; 0 = none. */
  moreBoots: number;
}

/**
 * Whether two sides are compared machine by machine: builds are, as a machine that only one side ran on is no change of
 * the kernel; hardware is not, as there the machines are what is compared.
 */
export interface JudgeOptions {
  byMachine: boolean;
}

/** What every metric of a page says. All of them together: they share one limit on false badges. Pure, deterministic. */
export function judgeMetrics(all: readonly MetricSides[], { byMachine }: JudgeOptions): Judgement[] {
  const prepared = all.map((sides) => {
    const [a, b] = byMachine ? shared(sides.a, sides.b) : [sides.a, sides.b];
    return { sides, a, b, ratio: effectOf(sides.a, sides.b), obstacle: obstacleTo(sides, a, b, byMachine) };
  });
  const tested = new Map<string, number[]>();
  prepared.forEach(({ a, b, obstacle }, index) => {
    if (obstacle !== null) return;
    // Not by side, so that swapped sides are dealt alike.
    const key = sorted([...a, ...b])
      .map(({ attempt }) => attempt)
      .join();
    tested.set(key, [...(tested.get(key) ?? []), index]);
  });
  const groups = [...tested].toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, group]) => group);
  const deals = groups.map((group): Deal => {
    const first = prepared[group[0] ?? -1];
    const isB = new Set(first?.b.map(({ attempt }) => attempt));
    const boots = sorted([...(first?.a ?? []), ...(first?.b ?? [])]);
    return {
      sides: boots.map(({ attempt, machine }) => ({ machine: byMachine ? machine : '', isB: isB.has(attempt) })),
      metrics: group.map((index) => {
        const { a = [], b = [] } = prepared[index] ?? {};
        return { logs: sorted([...a, ...b]).map(({ value }) => Math.log(value)) };
      }),
    };
  });
  const adjusted = adjustedPValues(deals);
  const pOf = new Map(groups.flatMap((group, at) => group.map((index, place) => [index, adjusted[at]?.[place] ?? 1])));
  const isAboveNoise = discoveries(
    prepared.map(({ sides, a, b, ratio, obstacle }) =>
      obstacle === null && ratio !== null ? noiseP(noiseOfSides(sides.noise, a, b), Math.log(ratio.value)) : null,
    ),
  );
  return prepared.map(({ sides, a, b, ratio, obstacle }, index) => {
    const floor = Math.max(Math.log1p(RELEVANCE), noiseFloor(noiseOfSides(sides.noise, a, b)));
    const pair = pairNoise(sides.noise);
    const p = pOf.get(index) ?? null;
    const isCertain = p !== null && p <= LEVEL && isAboveNoise[index] === true;
    const why = obstacle ?? whyUnclear(ratio, isCertain, floor);
    const isLower = ratio !== null && ratio.value < 1;
    return {
      ratio,
      says: why !== null ? 'unclear' : isLower === (sides.better === 'lower') ? 'better' : 'worse',
      why,
      p,
      least: Math.expm1(floor),
      noise: pair === null ? null : Math.expm1(pair),
      moreBoots: obstacle === 'few-boots' ? missingBoots(a, b) : 0,
    };
  });
}

/**
 * Which p-values are discoveries at a false discovery rate of LEVEL among those that are not null (Benjamini and Hochberg).
 */
export function discoveries(all: readonly (number | null)[]): boolean[] {
  const known = all.filter((p) => p !== null).toSorted((x, y) => x - y);
  const limit = known.findLast((p, rank) => p <= ((rank + 1) / known.length) * LEVEL) ?? -1;
  return all.map((p) => p !== null && p <= limit);
}

const sorted = (boots: readonly Boot[]): Boot[] => boots.toSorted((x, y) => (x.attempt < y.attempt ? -1 : 1));

/** The boots of both sides on the machines that both ran on. */
function shared(a: readonly Boot[], b: readonly Boot[]): [Boot[], Boot[]] {
  const [onA, onB] = [a, b].map((boots) => new Set(boots.map(({ machine }) => machine)));
  return [a.filter(({ machine }) => onB?.has(machine)), b.filter(({ machine }) => onA?.has(machine))];
}

function sharesOf(a: readonly Boot[], b: readonly Boot[], byMachine: boolean): Shares[] {
  const count = (boots: readonly Boot[], name: string): number =>
    boots.filter(({ machine }) => !byMachine || machine === name).length;
  const names = byMachine ? [...new Set(a.map(({ machine }) => machine))] : [''];
  return names.map((name) => ({ a: count(a, name), b: count(b, name) }));
}

function missingBoots(a: readonly Boot[], b: readonly Boot[]): number {
  // Of several machines, as if they were one: a side needs three boots, wherever they are.
  return Math.max(1, moreBootsNeeded({ a: a.length, b: b.length }));
}

function obstacleTo(
  { a: allA, b: allB, isSameKernel }: MetricSides,
  a: readonly Boot[],
  b: readonly Boot[],
  byMachine: boolean,
): WhyUnclear | null {
  if (allA.length === 0 || allB.length === 0) return 'one-sided';
  if (isSameKernel) return 'same-kernel';
  if ([...allA, ...allB].some(({ value }) => !(value > 0) || !Number.isFinite(value))) return 'no-ratio';
  if (a.length === 0 || b.length === 0) return 'other-machines';
  if (Math.min(a.length, b.length) < BOOTS_MIN || leastP(sharesOf(a, b, byMachine)) > LEVEL) return 'few-boots';
  return null;
}

function whyUnclear(ratio: Effect | null, isCertain: boolean, floor: number): WhyUnclear | null {
  if (ratio === null) return 'no-ratio';
  const { value, low, high } = ratio;
  if (Math.abs(Math.log(value)) < floor) return isCertain ? 'small' : 'noise';
  return isCertain && low !== null && high !== null && (low > 1 || high < 1) ? null : 'noise';
}
