export interface Quartiles {
  lowerQuartile: number;
  median: number;
  upperQuartile: number;
}

/** Quartiles with linear interpolation between samples (type 7, as R and NumPy do). Needs one sample at least. */
export function quartiles(samples: readonly number[]): Quartiles {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    lowerQuartile: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    upperQuartile: quantile(sorted, 0.75),
  };
}

function quantile(sorted: readonly number[], p: number): number {
  const at = (sorted.length - 1) * p;
  const low = sorted[Math.floor(at)];
  const high = sorted[Math.ceil(at)];
  if (low === undefined || high === undefined) throw new Error('no samples');
  const share = at - Math.floor(at);
  // Both are within MAGNITUDE_MAX: their difference is a number, too.
  return low + (high - low) * share;
}

/**
 * Largest magnitude of a sample, and the inverse of the smallest. Samples come from the kernel under test: with these
 * bounds sums, differences and ratios of them stay finite, which is what views can show and JSON can carry.
 */
const MAGNITUDE_MAX = 1e150;

/** A sample within what can be calculated with: what is too large is cut, what is too small is 0. */
export function boundedSample(sample: number): number {
  if (Math.abs(sample) < 1 / MAGNITUDE_MAX) return 0;
  return Math.min(MAGNITUDE_MAX, Math.max(-MAGNITUDE_MAX, sample));
}
