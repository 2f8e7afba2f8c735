import { VERDICT_TABLE, type Grid } from '@peerlab/contracts';
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
export function markText({ reason, by, until, base }: Grid['marks'][number]): string {
  const what = base === null ? `marked by ${by}` : `baseline of ${base}, accepted by ${by}`;
  return `known until ${dayText(Date.parse(until))} (${what}): ${reason}`;
}

/** Pure. Costs one pass over the verdicts, and nothing where no failure is known. */
export function knownCells(grid: Pick<Grid, 'rows' | 'columns' | 'known' | 'marks'>): KnownCells | null {
  if (grid.known.length === 0) return null;
  const markAt = new Map(grid.known.map(({ row, column, mark }) => [`${row}:${column}`, mark]));
  const newRows = new Set<number>();
  let [fresh, known] = [0, 0];
  grid.rows.forEach((_, row) => {
    grid.columns.forEach((_column, column) => {
      const verdict = verdictAt(grid, row, column);
      if (verdict === null || !VERDICT_TABLE[verdict].wrong) return;
      if (markAt.has(`${row}:${column}`)) known += 1;
      else {
        fresh += 1;
        newRows.add(row);
      }
    });
  });
  const textOf: KnownCells['textOf'] = (row, column) => {
    const mark = grid.marks[markAt.get(`${row}:${column}`) ?? -1];
    return mark === undefined ? undefined : markText(mark);
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
