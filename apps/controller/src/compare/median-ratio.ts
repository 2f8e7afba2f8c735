import { CONFIDENCE } from '@peerlab/contracts';

export interface RatioEstimate {
  /** How many times larger `b` is than `a`. */
  value: number;
  /** Ends of the interval; null when no interval of that level exists for so few samples. */
  low: number | null;
  high: number | null;
}

/** Up to this many samples on both sides the distribution of the ranks is counted, not approximated. */
const EXACT_UP_TO = 20;
/** 0.975 quantile of the normal distribution. */
const Z = 1.959964;

/**
 * How many times larger the samples of `b` are than those of `a`, with an interval of the level
 * CONFIDENCE: the rank method of Hodges and Lehmann (the interval that belongs to the Mann–Whitney
 * test), on quotients in place of differences. The value is the median of all quotients b ÷ a, the ends
 * are those quotients between which the ranks allow the true one. It assumes no distribution and draws
 * no random numbers; what it does assume is that the samples are independent and that `b` is spread like
 * `a`, only larger. Samples of one boot share that boot's luck, so that more boots say more than more
 * samples. Null when a side is empty or has a sample that is not above zero, for which there is no ratio.
 */
export function ratioOf(a: readonly number[], b: readonly number[]): RatioEstimate | null {
  const isUsable = (value: number): boolean => Number.isFinite(value) && value > 0;
  if (a.length === 0 || b.length === 0 || !a.every(isUsable) || !b.every(isUsable)) return null;
  const left = a.toSorted((x, y) => x - y);
  const right = b.toSorted((x, y) => x - y);
  const pairs = a.length * b.length;
  const lower = quotientOfRank(left, right, Math.ceil(pairs / 2));
  const upper = pairs % 2 === 1 ? lower : quotientOfRank(left, right, pairs / 2 + 1);
  // The geometric mean, so that the ratio of the swapped sides is the inverse.
  const value = lower === upper ? lower : Math.sqrt(lower) * Math.sqrt(upper);
  const rank = lowestRank(a.length, b.length);
  if (rank === 0) return { value, low: null, high: null };
  return {
    value,
    low: quotientOfRank(left, right, rank),
    high: quotientOfRank(left, right, pairs + 1 - rank),
  };
}

/**
 * The quotient b ÷ a of the given rank, from 1 for the smallest, without making all of them: bisection
 * over the count of quotients below. Both sorted and above zero. Exact to the last bit.
 */
function quotientOfRank(a: readonly number[], b: readonly number[], rank: number): number {
  const countUpTo = (limit: number): number => {
    let count = 0;
    let upTo = 0;
    for (const divisor of a) {
      while (upTo < b.length && at(b, upTo) / divisor <= limit) upTo += 1;
      count += upTo;
    }
    return count;
  };
  let below = at(b, 0) / at(a, a.length - 1);
  if (countUpTo(below) >= rank) return below;
  let above = at(b, b.length - 1) / at(a, 0);
  for (;;) {
    const middle = below + (above - below) / 2;
    if (middle <= below || middle >= above) return above;
    if (countUpTo(middle) >= rank) above = middle;
    else below = middle;
  }
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error(`no sample ${index} of ${values.length}`);
  return value;
}

/** Rank of the quotient at the interval's lower end, from 1; 0 when even the smallest is not low enough. */
function lowestRank(n: number, m: number): number {
  const tail = (1 - CONFIDENCE) / 2;
  if (Math.max(n, m) > EXACT_UP_TO) {
    const mean = (n * m) / 2;
    const spread = Math.sqrt((n * m * (n + m + 1)) / 12);
    return Math.max(0, Math.floor(mean - 0.5 - Z * spread) + 1);
  }
  const counts = rankCounts(n, m);
  const total = counts.reduce((sum, count) => sum + count, 0);
  let rank = 0;
  let sum = 0;
  for (const count of counts) {
    sum += count;
    if (sum / total > tail) break;
    rank += 1;
  }
  return rank;
}

const known = new Map<string, readonly number[]>();

/** In how many orders of n and m values the Mann–Whitney U is 0, 1, 2, …, n·m. */
function rankCounts(n: number, m: number): readonly number[] {
  if (n === 0 || m === 0) return [1];
  const key = `${Math.min(n, m)},${Math.max(n, m)}`;
  const remembered = known.get(key);
  if (remembered !== undefined) return remembered;
  const counts = Array.from({ length: n * m + 1 }, () => 0);
  // The largest value is of the one side and stands above all m others, or of the other side.
  rankCounts(n - 1, m).forEach((count, u) => (counts[u + m] = (counts[u + m] ?? 0) + count));
  rankCounts(n, m - 1).forEach((count, u) => (counts[u] = (counts[u] ?? 0) + count));
  known.set(key, counts);
  return counts;
}
