import { VERDICT_TABLE } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { countOf, countText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import type { GridRows, SuiteRows } from './model.js';
import { chosenMarks, countMarks, toggledMark, type RowMark } from './row-choice.js';
import type { GridViewProps } from './view.js';

/** Counts of all verdicts of a grid, each a chip that filters the tests, and how many tests pass the filters. */
export function Totals({
  grid,
  suites,
  columns,
  at,
  search,
  change,
  children,
}: Pick<GridViewProps<unknown>, 'search' | 'change'> & {
  grid: GridRows;
  /** Those that are shown. */
  suites: readonly SuiteRows[];
  columns: number;
  /** When the controller made the answer. */
  at: string;
  /** Further buttons. */
  children?: ReactNode;
}): ReactNode {
  const counts = useMemo(() => countMarks(grid), [grid]);
  const chosen = chosenMarks(search.verdict);
  const shown = suites.reduce((sum, { rows }) => sum + rows.length, 0);
  return (
    <div className="row totals">
      <span className="counts" role="group" aria-label="Only tests with">
        {[...counts].map(([mark, count]) => (
          <MarkChip
            key={mark}
            mark={mark}
            count={count}
            isPressed={chosen.has(mark)}
            onPress={() => change({ verdict: toggledMark(search.verdict, mark) }, false)}
          />
        ))}
      </span>
      <button
        type="button"
        className="count"
        aria-pressed={search.differing === 'only'}
        onClick={() => change({ differing: search.differing === 'only' ? undefined : 'only' }, false)}
      >
        only rows that differ
      </button>
      {children}
      <span className="muted">
        {countText(shown)} of {countOf(grid.rows.length, 'test')} × {countOf(columns, 'column')} · as of <Ago at={at} />
      </span>
    </div>
  );
}

const PENDING_LOOK = { icon: '◔', label: 'pending', help: 'planned and not reached yet' };

function MarkChip({
  mark,
  count,
  isPressed,
  onPress,
}: {
  mark: RowMark;
  count: number;
  isPressed: boolean;
  onPress: () => void;
}): ReactNode {
  const { icon, label, help } = mark === 'pending' ? PENDING_LOOK : VERDICT_TABLE[mark];
  return (
    <button
      type="button"
      className={`count ${mark === 'pending' ? 'cell-pending' : `verdict-${mark}`}`}
      aria-pressed={isPressed}
      title={`${label}: ${help}\n${isPressed ? 'show all tests again' : 'show only tests with it'}`}
      onClick={onPress}
    >
      <span aria-hidden="true">{icon}</span> {countText(count)} <span className="unseen">{label}</span>
    </button>
  );
}
