import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Grid } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { gridQuery, runsQuery } from '../api/queries.js';
import { CellPanel } from '../grid/CellPanel.js';
import { GridTable } from '../grid/GridTable.js';
import { Legend } from '../grid/Legend.js';
import { cellName, countAll, findCell, ROW_ORDERS, type RowOrder } from '../grid/model.js';
import type { GridSearch } from '../search.js';
import { useKeys } from '../keys.js';
import { FilterField } from '../ui/FilterField.js';
import { readPattern } from '../ui/pattern.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { VerdictCounts } from '../ui/verdict.js';

const route = getRouteApi('/');

/** The home page: what every test says on every hardware combination. */
export function GridPage(): ReactNode {
  useTitle('Grid');
  useTopics('grid', 'runs');
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(gridQuery(search.run));
  const pattern = useMemo(() => readPattern(search.q), [search.q]);
  const change = (next: Partial<GridSearch>, replace = true): void =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace, resetScroll: false });
  return (
    <>
      <div className="page-head">
        <h1>Grid</h1>
        <RunSelect run={search.run} onSelect={(run) => change({ run, cell: undefined }, false)} />
        <FilterField
          label="Filter tests"
          placeholder="Filter tests: regex, ! to exclude   ( / )"
          value={search.q ?? ''}
          problem={pattern.problem}
          onChange={(q) => change({ q })}
        />
        <OrderSelect
          order={search.sort ?? 'suite'}
          onSelect={(order) => change({ sort: order === 'suite' ? undefined : order }, false)}
        />
        <Legend />
      </div>
      <QuerySection query={query} what="the grid">
        {(grid) => <GridView grid={grid} search={search} matches={pattern.matches} change={change} />}
      </QuerySection>
    </>
  );
}

function GridView({
  grid,
  search,
  matches,
  change,
}: {
  grid: Grid;
  search: GridSearch;
  matches: (text: string) => boolean;
  change: (next: Partial<GridSearch>, replace?: boolean) => void;
}): ReactNode {
  const folded = useMemo(() => new Set((search.folded ?? '').split(',').filter(Boolean)), [search.folded]);
  const open = useMemo(() => findCell(grid, search.cell), [grid, search.cell]);
  const close = (): void => {
    change({ cell: undefined });
    document.querySelector<HTMLElement>('table.grid [tabindex="0"]')?.focus({ preventScroll: true });
  };
  useKeys(open === null ? {} : { closePanel: close });
  if (grid.columns.length === 0) {
    return (
      <Empty title="Nothing has run yet.">
        <p>
          <Link to="/submit">Submit a run</Link> to fill the grid, or look at the <Link to="/machines">machines</Link>{' '}
          that are there. <code>npm start</code> submits an example by itself.
        </p>
      </Empty>
    );
  }
  const fold = (suite: string): void => {
    const next = new Set(folded);
    if (!next.delete(suite)) next.add(suite);
    change({ folded: [...next].join(',') || undefined });
  };
  const hidden = grid.rows.filter(({ suite, test }) => !matches(`${suite}/${test}`)).length;
  return (
    <div className={open === null ? 'grid-layout' : 'grid-layout with-panel'}>
      <div className="grid-side">
        <Totals grid={grid} hidden={hidden} />
        <GridTable
          grid={grid}
          matches={matches}
          folded={folded}
          order={search.sort ?? 'suite'}
          open={open}
          showRun={search.run === undefined}
          onFold={fold}
          onOpen={(place) =>
            place === null ? close() : change({ cell: cellName(grid, place.row, place.column) }, open !== null)
          }
        />
      </div>
      {open !== null && (
        <CellPanel
          key={cellName(grid, open.row, open.column)}
          grid={grid}
          row={open.row}
          column={open.column}
          onOpen={(column) => change({ cell: cellName(grid, open.row, column) })}
          onClose={close}
        />
      )}
    </div>
  );
}

function Totals({ grid, hidden }: { grid: Grid; hidden: number }): ReactNode {
  const counts = useMemo(() => countAll(grid), [grid]);
  return (
    <p className="row totals">
      <VerdictCounts counts={counts} />
      <span className="muted">
        {grid.rows.length - hidden} of {grid.rows.length} tests × {grid.columns.length} columns · as of{' '}
        <Ago at={grid.generatedAt} />
      </span>
    </p>
  );
}

const ORDER_LABEL: Record<RowOrder, string> = {
  suite: 'as the suites run them',
  failures: 'most trouble first',
  name: 'by name',
};

function OrderSelect({ order, onSelect }: { order: RowOrder; onSelect: (order: RowOrder) => void }): ReactNode {
  return (
    <label className="inline-field">
      <span>Tests</span>
      <select value={order} onChange={(event) => onSelect(ROW_ORDERS.find((o) => o === event.target.value) ?? 'suite')}>
        {ROW_ORDERS.map((each) => (
          <option key={each} value={each}>
            {ORDER_LABEL[each]}
          </option>
        ))}
      </select>
    </label>
  );
}

function RunSelect({
  run,
  onSelect,
}: {
  run: string | undefined;
  onSelect: (run: string | undefined) => void;
}): ReactNode {
  const { data } = useInfiniteQuery(runsQuery());
  const runs = data?.pages.flat() ?? [];
  const isListed = run === undefined || runs.some(({ id }) => id === run);
  return (
    <label className="inline-field">
      <span>Show</span>
      <select value={run ?? ''} onChange={(event) => onSelect(event.target.value || undefined)}>
        <option value="">newest of every combination</option>
        {!isListed && <option value={run}>run {run.slice(0, 8)}</option>}
        {runs.map(({ id, name, createdAt }) => (
          <option key={id} value={id}>
            {name} · {new Date(createdAt).toLocaleString()}
          </option>
        ))}
      </select>
    </label>
  );
}
