import { marksOf, markText, VERDICT_TABLE, type Grid } from '@peerlab/contracts';
import { dayText } from '../ui/time.js';
import { verdictAt, type SuiteRows } from './model.js';

/** Which failures of a grid people know; all others are new. */
export interface KnownCells {
  /** Line of a tooltip for a known failure. */
  textOf: (row: number, column: number) => string | undefined;
  /** Rows with a failure that nobody knows. */
  newRows: ReadonlySet<number>;
  /** Cells with new and with known failures. */
  fresh: number;
  known: number;
}

/** `known until 1 March (baseline of 7.3.4, accepted by ann): why` */
export const shownMark = (mark: Grid['marks'][number]): string => markText(mark, (time) => dayText(Date.parse(time)));

/** Pure. Costs one pass over the verdicts, and nothing where no failure is known. */
export function knownCells(grid: Pick<Grid, 'rows' | 'columns' | 'known' | 'marks'>): KnownCells | null {
  if (grid.known.length === 0) return null;
  const markAt = marksOf(grid);
  const newRows = new Set<number>();
  let [fresh, known] = [0, 0];
  grid.rows.forEach((_, row) => {
    grid.columns.forEach((_column, column) => {
      const verdict = verdictAt(grid, row, column);
      if (verdict === null || !VERDICT_TABLE[verdict].wrong) return;
      if (markAt(row, column) !== undefined) known += 1;
      else {
        fresh += 1;
        newRows.add(row);
      }
    });
  });
  const textOf: KnownCells['textOf'] = (row, column) => {
    const mark = markAt(row, column);
    return mark === undefined ? undefined : shownMark(mark);
  };
  return { textOf, newRows, fresh, known };
}

/** Suites and tests with new failures before the others, which stay in their order. */
export function newFirst(suites: readonly SuiteRows[], { newRows }: KnownCells): SuiteRows[] {
  const isNew = (row: number): number => (newRows.has(row) ? 0 : 1);
  return suites
    .map(({ suite, rows }) => ({ suite, rows: rows.toSorted((a, b) => isNew(a) - isNew(b)) }))
    .toSorted((a, b) => isNew(a.rows[0] ?? -1) - isNew(b.rows[0] ?? -1));
}
