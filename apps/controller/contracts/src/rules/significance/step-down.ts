/** Deals of one test: at most, and at least where a page has very many values. */
const DEALS = 999;
const DEALS_MIN = 199;
/** Values that are added up for one page; some 0.2 s. */
const WORK_MAX = 40_000_000;
/** Two orders of adding up the same numbers may differ in the last bits. */
const ROUNDING = 1 - 1e-9;

/**
 * Adjusted p-values of statistics that are drawn together, the larger the more remarkable: the step-down maxT procedure of
 * Westfall and Young. A p-value of at most x means: where nothing differs, in at most that share of pages any statistic is
 * as large.
 * @param work values that one deal adds up; there are fewer deals where that is very much
 * @param deal writes the statistics of another deal of the same data
 */
export function stepDown(observed: Float64Array, work: number, deal: (into: Float64Array) => void): number[] {
  const order = Array.from(observed, (_, index) => index).toSorted((x, y) => (observed[y] ?? 0) - (observed[x] ?? 0));
  const count = Math.max(DEALS_MIN, Math.min(DEALS, Math.floor(WORK_MAX / Math.max(1, work))));
  const reached = new Uint32Array(observed.length);
  const drawn = new Float64Array(observed.length);
  for (let done = 0; done < count; done += 1) {
    deal(drawn);
    // Step down: a statistic is held against those only that are no larger than itself.
    let largest = 0;
    for (let rank = order.length - 1; rank >= 0; rank -= 1) {
      const index = order[rank] ?? 0;
      largest = Math.max(largest, drawn[index] ?? 0);
      if (largest >= (observed[index] ?? 0) * ROUNDING) reached[index] = (reached[index] ?? 0) + 1;
    }
  }
  const adjusted = Array.from({ length: observed.length }, () => 1);
  let least = 0;
  for (const index of order) {
    least = Math.max(least, ((reached[index] ?? 0) + 1) / (count + 1));
    adjusted[index] = least;
  }
  return adjusted;
}
