import { BOOTS_MIN, medianOf, type Boot } from './boots.js';
import { seededRandom, type Random } from './random.js';

/** How many times larger side B is than side A, with its 95 % interval; the ends are null below three boots a side. */
export interface Effect {
  value: number;
  low: number | null;
  high: number | null;
}

/** Times that the boots are drawn again for the interval. */
const DRAWS = 400;
const SEED = 0x5eed;

/** The values of both sides on one machine, sorted, and how much that machine weighs. */
interface Stratum {
  a: number[];
  b: number[];
  weight: number;
}

/**
 * The ratio of the medians of the boots, B ÷ A, and its interval by a bootstrap over boots: each machine's boots are drawn
 * again, with replacement, side by side. On several machines: the geometric mean of their ratios, a machine with more
 * boots weighing more, so that unequal shares of machines are no change. Where no machine has both sides: of all boots. The
 * draws are the same at each call; swapped sides give the inverse. Null when a side is empty or has a value that is not
 * above zero.
 */
export function effectOf(a: readonly Boot[], b: readonly Boot[]): Effect | null {
  const all = [...a, ...b];
  if (a.length === 0 || b.length === 0 || all.some(({ value }) => !(value > 0) || !Number.isFinite(value))) return null;
  const strata = strataOf(a, b);
  const log = logRatio(strata, ({ a: left, b: right }) => [medianOf(left), medianOf(right)]);
  const value = Math.exp(log);
  if (Math.min(a.length, b.length) < BOOTS_MIN) return { value, low: null, high: null };
  const random = seededRandom(SEED);
  // The side with the first boot is drawn first, so that swapped sides are drawn alike.
  const isSwapped = firstOf(b) < firstOf(a);
  const drawn = Float64Array.from({ length: DRAWS }, () =>
    logRatio(strata, (stratum) => {
      const first = medianOfDraw(isSwapped ? stratum.b : stratum.a, random);
      const second = medianOfDraw(isSwapped ? stratum.a : stratum.b, random);
      return isSwapped ? [second, first] : [first, second];
    }),
  ).sort();
  const cut = Math.floor(DRAWS * 0.025);
  const [low, high] = [drawn[cut] ?? log, drawn[DRAWS - 1 - cut] ?? log];
  return { value, low: Math.exp(Math.min(low, log)), high: Math.exp(Math.max(high, log)) };
}

const firstOf = (boots: readonly Boot[]): string =>
  boots.reduce((first, { attempt }) => (attempt < first ? attempt : first), boots[0]?.attempt ?? '');

function strataOf(a: readonly Boot[], b: readonly Boot[]): Stratum[] {
  const machines = new Map<string, Stratum>();
  const of = (machine: string): Stratum => {
    const stratum = machines.get(machine) ?? { a: [], b: [], weight: 0 };
    machines.set(machine, stratum);
    return stratum;
  };
  for (const { machine, value } of a) of(machine).a.push(value);
  for (const { machine, value } of b) of(machine).b.push(value);
  const shared = [...machines]
    .toSorted(([x], [y]) => (x < y ? -1 : 1))
    .flatMap(([, stratum]) => (stratum.a.length > 0 && stratum.b.length > 0 ? [stratum] : []));
  const strata = shared.length > 0 ? shared : [{ a: a.map(valueOf), b: b.map(valueOf), weight: 0 }];
  return strata.map(({ a: left, b: right }) => ({
    a: left.toSorted(bySize),
    b: right.toSorted(bySize),
    weight: (left.length * right.length) / (left.length + right.length),
  }));
}

const valueOf = ({ value }: Boot): number => value;
const bySize = (x: number, y: number): number => x - y;

/** @param mediansOf medians of A and of B */
function logRatio(strata: readonly Stratum[], mediansOf: (stratum: Stratum) => [number, number]): number {
  let [sum, weights] = [0, 0];
  for (const stratum of strata) {
    const [left, right] = mediansOf(stratum);
    sum += stratum.weight * Math.log(right / left);
    weights += stratum.weight;
  }
  return sum / weights;
}

/** The median of as many values drawn with replacement. Counts how often each was drawn, as the values are sorted. */
function medianOfDraw(sorted: readonly number[], random: Random): number {
  const { length } = sorted;
  const counts = new Uint32Array(length);
  for (let draw = 0; draw < length; draw += 1) {
    const place = Math.floor(random() * length);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  const middle = (length - 1) >> 1;
  let [place, seen] = [0, counts[0] ?? 0];
  while (seen <= middle) seen += counts[(place += 1)] ?? 0;
  const low = sorted[place] ?? 0;
  if (length % 2 === 1 || seen > middle + 1) return low;
  do place += 1;
  while (counts[place] === 0);
  const high = sorted[place] ?? 0;
  return low + (high - low) / 2;
}
