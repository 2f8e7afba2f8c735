import {
  BOOTS_MIN,
  columnsBeside,
  judgeMetrics,
  NO_NOISE,
  type Boot,
  type FoldedGrid,
  type Grid,
  type GridColumn,
  type MetricSides,
} from '@peerlab/contracts';
import type { GridMetricRow } from './model.js';

type Column = Pick<GridColumn, 'attemptId' | 'runId' | 'machine'> & {
  combination: Pick<GridColumn['combination'], 'hash'>;
  build: Pick<GridColumn['build'], 'id' | 'buildId'>;
};

/**
 * Which metrics of which columns have a verdict against the column that they are compared with, by the rule of the whole
 * farm (rules/change.ts). Columns of one build on one combination are its boots, as a run with `repeat` has them; with one
 * column each there are too few, and none is clear. Pure.
 */
export function clearChanges(
  metrics: readonly GridMetricRow[],
  columns: readonly Column[],
  againstOf: (column: number) => readonly number[],
): (row: GridMetricRow, column: number) => boolean {
  const groups = new Map<string, number[]>();
  const keys = columns.map(({ combination: { hash }, build: { id } }, index) => {
    const key = `${hash} ${id}`;
    groups.set(key, [...(groups.get(key) ?? []), index]);
    return key;
  });
  const bootsOf = (row: GridMetricRow, key: string): Boot[] =>
    (groups.get(key) ?? []).flatMap((index) => {
      const [column, value] = [columns[index], row.values[index]];
      if (column?.attemptId == null || value == null) return [];
      return [{ attempt: column.attemptId, run: column.runId, machine: column.machine ?? '', value: value.median }];
    });
  const pairs = new Map<string, { row: GridMetricRow; key: string; sides: MetricSides }>();
  metrics.forEach((row, at) =>
    keys.forEach((key, column) => {
      const against = againstOf(column).find((each) => row.values[each] != null);
      const other = keys[against ?? -1];
      if (other === undefined || other === key || pairs.has(`${at} ${key}`)) return;
      // Most grids have hundreds of columns of one boot each.
      if ([key, other].some((side) => (groups.get(side)?.length ?? 0) < BOOTS_MIN)) return;
      const { build: { buildId } = {}, combination: { hash } = { hash: '' } } = columns[column] ?? {};
      const isSameKernel = buildId != null && buildId === columns[against ?? -1]?.build.buildId;
      const sides = {
        better: row.better,
        a: bootsOf(row, other),
        b: bootsOf(row, key),
        noise: row.noise[hash] ?? NO_NOISE,
        isSameKernel,
      };
      pairs.set(`${at} ${key}`, { row, key, sides });
    }),
  );
  const all = [...pairs.values()];
  const judged = judgeMetrics(
    all.map(({ sides }) => sides),
    { byMachine: true },
  );
  const clear = new Map<GridMetricRow, Set<string>>();
  all.forEach(({ row, key }, index) => {
    if (judged[index]?.says === 'unclear') return;
    clear.set(row, (clear.get(row) ?? new Set<string>()).add(key));
  });
  return (row, column) => clear.get(row)?.has(keys[column] ?? '') === true;
}

/**
 * The same for the metrics and columns of a folded grid: its columns stand for boots of the source, which are judged against
 * those of the first kernel on their combination that has a value. Pure.
 */
export function clearInFolded(
  { grid, bootsOf }: FoldedGrid,
  source: Grid,
): (row: GridMetricRow, column: number) => boolean {
  const beside = source.columns.map((_, column) => columnsBeside(source.columns, column));
  const isClear = clearChanges(source.metrics, source.columns, (column) => beside[column] ?? []);
  const sourceOf = new Map(grid.metrics.map((row, index) => [row, source.metrics[index]]));
  return (row, column) => {
    const [own, boot] = [sourceOf.get(row), bootsOf[column]?.[0]];
    return own !== undefined && boot !== undefined && isClear(own, boot);
  };
}
