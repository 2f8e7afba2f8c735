import { useMemo, type ReactNode } from 'react';
import { countOf, countText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { VerdictCounts } from '../ui/verdict.js';
import { countAll, type GridRows, type SuiteRows } from './model.js';

/** Counts of all verdicts of a grid, and how many tests pass the filter. */
export function Totals({
  grid,
  suites,
  columns,
  at,
  children,
}: {
  grid: GridRows;
  /** Those that are shown. */
  suites: readonly SuiteRows[];
  columns: number;
  /** When the controller made the answer. */
  at: string;
  /** Further notes on the whole grid. */
  children?: ReactNode;
}): ReactNode {
  const counts = useMemo(() => countAll(grid), [grid]);
  const shown = suites.reduce((sum, { rows }) => sum + rows.length, 0);
  return (
    <p className="row totals">
      <VerdictCounts counts={counts} />
      <span className="muted">
        {countText(shown)} of {countOf(grid.rows.length, 'test')} × {countOf(columns, 'column')} · as of <Ago at={at} />
      </span>
      {children}
    </p>
  );
}
