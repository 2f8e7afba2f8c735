import type { ComparedMetric } from '../schema/compare.js';
import { metricId, metricName, ofRole } from './metric-name.js';

/** One metric over message sizes, on one combination: a table of a cover letter, and a chart. */
export interface SizeSeries {
  suite: string;
  series: string;
  /** Which role of a job with several measured it. */
  role?: string;
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
    const { suite, role, size, unit, better, combination } = metric;
    if (size === null) continue;
    const { series } = size;
    const key = seriesId({ suite, series, role, unit, better, combination });
    const known = found.get(key) ?? { suite, series, ...ofRole({ role }), unit, better, combination, points: [] };
    found.set(key, known);
    known.points.push({ bytes: size.bytes, metric });
  }
  return [...found.values()].map((series) => ({
    ...series,
    points: series.points.toSorted((x, y) => x.bytes - y.bytes),
  }));
}

/** How a series is called: as its metrics are, without the size. */
export const seriesName = ({ series, role }: Pick<SizeSeries, 'series' | 'role'>): string =>
  metricName({ name: series, role });

/** What a series of a comparison is known by, for keys. */
export const seriesId = ({
  series,
  combination,
  ...metric
}: Omit<SizeSeries, 'points' | 'role'> & { role?: string | undefined }): string =>
  `${metricId({ ...metric, name: series })}@${combination}`;
