import type { ComparedMetric } from '../schema/compare.js';

/** One metric over message sizes, on one combination: a table of a cover letter, and a chart. */
export interface SizeSeries {
  suite: string;
  series: string;
  unit: string;
  better: 'lower' | 'higher';
  /** Index into the combinations of the comparison. */
  combination: number;
  /** By size, ascending. At least one. */
  points: SizePoint[];
}

export interface SizePoint {
  bytes: number;
  metric: ComparedMetric;
}

/** The metrics of a comparison that have a message size, put together again; in the order of the comparison. */
export function sizeSeries(metrics: readonly ComparedMetric[]): SizeSeries[] {
  const found = new Map<string, SizeSeries>();
  for (const metric of metrics) {
    const { suite, size, unit, better, combination } = metric;
    if (size === null) continue;
    const key = JSON.stringify([suite, size.series, unit, better, combination]);
    const known = found.get(key) ?? { suite, series: size.series, unit, better, combination, points: [] };
    found.set(key, known);
    known.points.push({ bytes: size.bytes, metric });
  }
  return [...found.values()].map((series) => ({
    ...series,
    points: series.points.toSorted((x, y) => x.bytes - y.bytes),
  }));
}
