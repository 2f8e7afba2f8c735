import { performance } from 'node:perf_hooks';

/** One figure of the controller beside one floor: the least that the same work costs in the same run. */
export interface Comparison {
  what: string;
  unit: 'lines/s' | 'jobs/s' | 'ms';
  controller: number;
  floor: number;
  /** What the floor does. */
  floorIs: string;
  /** How many times the floor's cost the controller takes: 1 is perfect, whatever the unit. */
  ratio: number;
}

/** Puts a figure beside its floor; of rates more is better, of times less. */
export function compare(figures: Omit<Comparison, 'ratio'>): Comparison {
  const { unit, controller, floor } = figures;
  return { ...figures, ratio: unit === 'ms' ? controller / floor : floor / controller };
}

/** Nearest-rank percentile; `share` from 0 to 1. Throws on an empty list. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new Error('a percentile of nothing');
  return value;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Milliseconds that `work` takes. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Percentiles of times, by default p50 and p95, beside those of their floor. */
export function compareTimes(
  what: string,
  controllerMs: readonly number[],
  floorMs: readonly number[],
  floorIs: string,
  shares: readonly number[] = [0.5, 0.95],
): Comparison[] {
  return shares.map((share) =>
    compare({
      what: `${what} p${share * 100}`,
      unit: 'ms',
      controller: percentile(controllerMs, share),
      floor: percentile(floorMs, share),
      floorIs,
    }),
  );
}
