import { KERNELS_COUNTED, type BuildGrid, type KernelColumn, type KernelMetrics } from '@peerlab/contracts';
import { countText } from '../ui/numbers.js';
import type { GridMetricRow } from './model.js';

/** Neighbouring kernels of one build name, under one merged header. */
export interface KernelGroup {
  name: string;
  /** Column indices, newest kernel first. */
  columns: number[];
}

export function groupKernels(columns: readonly KernelColumn[]): KernelGroup[] {
  const groups: KernelGroup[] = [];
  columns.forEach(({ build }, index) => {
    const group = groups.at(-1);
    if (group?.name === build.name) group.columns.push(index);
    else groups.push({ name: build.name, columns: [index] });
  });
  return groups;
}

/** The one kernel before this one of the same build name; null when none is shown. */
export function kernelBefore(columns: readonly KernelColumn[], column: number): KernelColumn | null {
  const [at, older] = [columns[column], columns[column + 1]];
  return at !== undefined && older?.build.name === at.build.name ? older : null;
}

/** The stable name of a cell in the address: `suite/test@build-id`. */
export function kernelCellName(grid: Pick<BuildGrid, 'rows' | 'columns'>, row: number, column: number): string {
  const { suite, test } = grid.rows[row] ?? { suite: '', test: '' };
  return `${suite}/${test}@${grid.columns[column]?.buildId ?? ''}`;
}

/** The cell that a name in the address stands for; null when this grid has no such cell. */
export function findKernelCell(
  grid: Pick<BuildGrid, 'rows' | 'columns'>,
  name: string | undefined,
): { row: number; column: number } | null {
  const [, suite, test, buildId] = /^([^/]*)\/(.*)@([^@]+)$/.exec(name ?? '') ?? [];
  const row = grid.rows.findIndex((each) => each.suite === suite && each.test === test);
  const column = grid.columns.findIndex((each) => each.buildId === buildId);
  return row < 0 || column < 0 ? null : { row, column };
}

/** `1 of 3 combinations has this verdict`, where combinations disagree. By `row:column`. */
export function foldTexts(grid: Pick<BuildGrid, 'differs'>): ReadonlyMap<string, string> {
  return new Map(
    grid.differs.map(([row, column, worst, of]) => [
      `${row}:${column}`,
      `${worst} of ${of} combinations ${worst === 1 ? 'has' : 'have'} this verdict`,
    ]),
  );
}

/** Metrics by column of a grid, without those of no shown kernel. The two answers may have been made at different times. */
export function alignMetrics(columns: readonly Pick<KernelColumn, 'key'>[], answer: KernelMetrics): GridMetricRow[] {
  const placeOf = new Map(answer.kernels.map((key, place) => [key, place]));
  const places = columns.map(({ key }) => placeOf.get(key));
  return answer.metrics
    .map((row) => ({
      ...row,
      values: places.map((place) => (place === undefined ? null : (row.values[place] ?? null))),
    }))
    .filter(({ values }) => values.some((value) => value !== null));
}

/**
 * The column with which the metrics of the others are compared: of the kernels with metrics, the newest one without
 * features, else the oldest. Null when there are no metrics.
 */
export function referenceKernel(
  columns: readonly Pick<KernelColumn, 'builtAt' | 'features'>[],
  metrics: readonly GridMetricRow[],
): number | null {
  const byAge = columns
    .map(({ builtAt, features }, column) => ({ builtAt, features, column }))
    .filter(({ column }) => metrics.some(({ values }) => values[column] != null))
    .toSorted((a, b) => (a.builtAt < b.builtAt ? -1 : a.builtAt > b.builtAt ? 1 : 0));
  return (byAge.findLast(({ features }) => features.length === 0) ?? byAge[0])?.column ?? null;
}

/** The kernels of a page, newest first: `kernels 31–60 of 75`, or `of 560 or more` where not all were counted. */
export function pageText(newer: number, shown: number, older: number): string {
  const total = `${countText(newer + shown + older)}${older >= KERNELS_COUNTED ? ' or more' : ''}`;
  if (shown === 0) return `none of ${total} kernels with results is older`;
  return `kernels ${countText(newer + 1)}–${countText(newer + shown)} of ${total} with results, newest first`;
}

/** What a kernel can do that others cannot: `has dma_alias`, or `no special features`. */
export function featuresText(features: readonly string[]): string {
  return features.length === 0 ? 'no special features' : `has ${features.join(', ')}`;
}
