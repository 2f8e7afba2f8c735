import type { BuildGrid, KernelColumn } from '@peerlab/contracts';

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

/** Finds the cell that a name in the address means; null when this grid has none. */
export function findKernelCell(
  grid: Pick<BuildGrid, 'rows' | 'columns'>,
  name: string | undefined,
): { row: number; column: number } | null {
  const [, suite, test, buildId] = /^([^/]*)\/(.*)@([^@]+)$/.exec(name ?? '') ?? [];
  const row = grid.rows.findIndex((each) => each.suite === suite && each.test === test);
  const column = grid.columns.findIndex((each) => each.buildId === buildId);
  return row < 0 || column < 0 ? null : { row, column };
}

/** `worst of 3 combinations, 1 of them says so`, or that all agree. By `row:column`. */
export function foldTexts(grid: Pick<BuildGrid, 'differs'>): ReadonlyMap<string, string> {
  return new Map(
    grid.differs.map(([row, column, worst, of]) => [
      `${row}:${column}`,
      `${worst} of ${of} combinations ${worst === 1 ? 'says' : 'say'} so`,
    ]),
  );
}
