import type { Metric } from '../schema/metric.js';

/**
 * A metric that was measured with messages of several sizes is one metric for each size: `params.bytes` (or `params.pages`)
 * is the size, and its name ends with that number, as a name is what identifies a metric. What stands before is the name
 * of the series.
 */
export interface MessageSize {
  series: string;
  bytes: number;
}

/** The name of a metric of one message size. */
export const sizedName = (series: readonly string[], bytes: number): string => [...series, String(bytes)].join('.');

/** Of the kernels that the farm tests: `p2p_perf` counts the size of a batch in pages. */
const PAGE_BYTES = 4096;

/** The series and size of a metric; null for a metric without a size. */
export function messageSizeOf({ name, params }: Pick<Metric, 'name' | 'params'>): MessageSize | null {
  return sizeOf(name, params['bytes'], 1) ?? sizeOf(name, params['pages'], PAGE_BYTES);
}

function sizeOf(name: string, count: unknown, unitBytes: number): MessageSize | null {
  if (typeof count !== 'number' || count < 1 || !Number.isSafeInteger(count * unitBytes)) return null;
  const end = `.${count}`;
  if (!name.endsWith(end) || name.length === end.length) return null;
  return { series: name.slice(0, -end.length), bytes: count * unitBytes };
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 65536 → "64 KiB", 1000 → "1000 B": a size as powers of two, where it is one. */
export function sizeText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && value % 1024 === 0 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value} ${UNITS[unit] ?? ''}`;
}
