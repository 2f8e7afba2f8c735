import { useMemo, type ReactNode } from 'react';
import { countText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { VerdictCounts } from '../ui/verdict.js';
import { countAll, type GridRows, type SuiteRows } from './model.js';

/** All verdicts of a grid, counted, and how many tests the filter leaves. */
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
  /** When the answer was made. */
  at: string;
  /** What else is to be said of the whole. */
  children?: ReactNode;
}): ReactNode {
  const counts = useMemo(() => countAll(grid), [grid]);
  const shown = suites.reduce((sum, { rows }) => sum + rows.length, 0);
  return (
    <p className="row totals">
      <VerdictCounts counts={counts} />
      <span className="muted">
        {countText(shown)} of {countText(grid.rows.length)} tests × {countText(columns)} columns · as of <Ago at={at} />
      </span>
      {children}
    </p>
  );
}
