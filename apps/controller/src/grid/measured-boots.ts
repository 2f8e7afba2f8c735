import { medianOf, messageSizeOf, SOLE_ROLE, type Boot, type MessageSize } from '@peerlab/contracts';
import { nullable, text } from '../platform/database/row-shape.js';

/** What identifies a metric on a combination: values of other units or directions are not compared. */
export interface MetricKey {
  suite: string;
  name: string;
  /** Which role of a job with several measured it; null in a job with one. */
  role: string | null;
  unit: string;
  better: 'lower' | 'higher';
  combination: string;
}

/** A measurement of one boot on one side; those that came later stand later. */
export interface SideMetric extends MetricKey {
  median: number;
  /** Samples. */
  n: number;
  attempt_id: string;
  run_id: string;
  machine: string;
}

/** With the parameters that may name a message size. */
export interface SizedMetric extends SideMetric {
  bytes: string | null;
  pages: string | null;
}

/** `role` of `MetricKey` in SQL. Needs `measurement` as `m`. */
export const ROLE_SQL = `nullif(m.role, '${SOLE_ROLE}') as role`;

/** The columns of `SizedMetric`: all parameters would be much to read. Needs `measurement` as `m`. */
export const SIZE_SQL = `left(m.params ->> 'bytes', 20) as bytes, left(m.params ->> 'pages', 20) as pages`;
export const SIZE_COLUMNS = { bytes: nullable(text), pages: nullable(text) };

/** The message size of a metric, where it has one. */
export function sizeOfMetric({
  name,
  bytes,
  pages,
}: Pick<SizedMetric, 'name' | 'bytes' | 'pages'>): MessageSize | null {
  return messageSizeOf({ name, params: { bytes: Number(bytes ?? 0), pages: Number(pages ?? 0) } });
}

/** The combination stands last, and no role has a line break, as names may. */
export const metricKey = ({ role, suite, name, unit, better, combination }: MetricKey): string =>
  [role ?? '', suite, name, unit, better, combination].join('\n');

/** One value for each boot: a boot that measured a metric more than once counts once. */
export function bootsOf(metrics: readonly Pick<SideMetric, 'attempt_id' | 'run_id' | 'machine' | 'median'>[]): Boot[] {
  const boots = new Map<string, { run: string; machine: string; values: number[] }>();
  for (const { attempt_id: attempt, run_id: run, machine, median } of metrics) {
    const boot = boots.get(attempt) ?? { run, machine, values: [] };
    boots.set(attempt, boot);
    boot.values.push(median);
  }
  return [...boots].map(([attempt, { run, machine, values }]) => ({ attempt, run, machine, value: medianOf(values) }));
}
