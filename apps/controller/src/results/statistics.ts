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
  return low + (high - low) * (at - Math.floor(at));
}
