import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { CombinationChoice } from '@peerlab/contracts';
import { lazy, Suspense, useEffect, useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { buildGridQuery, gridQuery } from '../api/grid.js';
import { runsQuery } from '../api/run-list.js';
import { CombinationGrid } from '../grid/CombinationGrid.js';
import { Legend } from '../grid/Legend.js';
import { ROW_ORDERS, type RowOrder } from '../grid/model.js';
import { useKeys, withKeys } from '../keys.js';
import type { GridSearch } from '../search.js';
import { FilterField } from '../ui/FilterField.js';
import { readPattern } from '../ui/pattern.js';
import { Loading, QuerySection, useTitle } from '../ui/section.js';
import { shortText } from '../ui/time.js';

const route = getRouteApi('/');
const loadKernelGrid = async () => ({ default: (await import('../grid/KernelGrid.js')).KernelGrid });
const KernelGrid = lazy(loadKernelGrid);

type Change = (next: Partial<GridSearch>, replace?: boolean) => void;

/** The home page: the verdict of every test on every hardware combination, or on every kernel. */
export function GridPage(): ReactNode {
  const search = route.useSearch();
  const isByBuilds = search.by === 'builds';
  useTitle(isByBuilds ? 'Grid by kernel build' : 'Grid');
  useTopics('grid', 'runs');
  const navigate = route.useNavigate();
  const pattern = useMemo(() => readPattern(search.q), [search.q]);
  const change: Change = (next, replace = true) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace, resetScroll: false });
  const kept = keptSearch(search);
  useKeys({ gridView: () => void navigate({ search: isByBuilds ? kept : { ...kept, by: 'builds' } }) });
  const order = search.sort ?? 'suite';
  return (
    <div className="grid-page">
      <div className="page-head">
        <h1>Grid</h1>
        <ViewSwitch search={search} />
        {isByBuilds ? (
          <CombinationSelect search={search} change={change} />
        ) : (
          <RunSelect run={search.run} onSelect={(run) => change({ run, cell: undefined }, false)} />
        )}
        <FilterField
          label="Filter tests"
          placeholder="Filter tests: regex, ! to exclude   ( / )"
          value={search.q ?? ''}
          problem={pattern.problem}
          onChange={(q) => change({ q })}
        />
        <OrderSelect order={order} onSelect={(next) => change({ sort: next === 'suite' ? undefined : next }, false)} />
        <label className="inline-field">
          <input
            type="checkbox"
            checked={search.show === 'metric'}
            onChange={(event) => change({ show: event.target.checked ? 'metric' : undefined }, false)}
          />
          <span>Metrics in cells</span>
        </label>
        <Legend />
      </div>
      {isByBuilds ? (
        <ByBuilds search={search} matches={pattern.matches} change={change} />
      ) : (
        <ByCombination search={search} matches={pattern.matches} change={change} />
      )}
    </div>
  );
}

interface ViewProps {
  search: GridSearch;
  matches: (text: string) => boolean;
  change: Change;
}

function ByCombination(view: ViewProps): ReactNode {
  const query = useQuery(gridQuery(view.search));
  return (
    <QuerySection query={query} what="the grid">
      {(grid) => <CombinationGrid data={grid} {...view} />}
    </QuerySection>
  );
}

function ByBuilds(view: ViewProps): ReactNode {
  const query = useQuery(buildGridQuery(view.search.combination, view.search.before));
  // While the answer is loading.
  useEffect(() => void loadKernelGrid(), []);
  return (
    <QuerySection query={query} what="the grid">
      {(grid) => (
        <Suspense fallback={<Loading what="the grid" />}>
          <div
            className={query.isPlaceholderData ? 'grid-view turning' : 'grid-view'}
            aria-busy={query.isPlaceholderData}
          >
            <KernelGrid data={grid} {...view} />
          </div>
        </Suspense>
      )}
    </QuerySection>
  );
}

/** A change of columns keeps the choice of rows and removes the parameters that only one view has. */
function keptSearch({ q, verdict, differing, sort, folded, show }: GridSearch): GridSearch {
  return { q, verdict, differing, sort, folded, show };
}

/** Chooses the columns. */
function ViewSwitch({ search }: { search: GridSearch }): ReactNode {
  const kept = keptSearch(search);
  const { by } = search;
  return (
    <nav className="switch" aria-label="Columns of the grid" title={withKeys('columns of the grid', 'gridView')}>
      <Link to="/" search={kept} activeOptions={{ exact: true }} aria-current={by === undefined ? 'page' : undefined}>
        by combination
      </Link>
      <Link to="/" search={{ ...kept, by: 'builds' }} aria-current={by === 'builds' ? 'page' : undefined}>
        by kernel build
      </Link>
    </nav>
  );
}

function CombinationSelect({ search, change }: Omit<ViewProps, 'matches'>): ReactNode {
  const { data } = useQuery(buildGridQuery(search.combination, search.before));
  const combinations = data?.combinations ?? [];
  const chosen = search.combination ?? '';
  const isListed = chosen === '' || chosen === 'all' || combinations.some(({ hash }) => hash === chosen);
  const newest = search.combination === undefined ? data?.combination?.label : undefined;
  return (
    <label className="inline-field">
      <span>On</span>
      <select
        value={chosen}
        onChange={({ target }) =>
          change(
            { combination: CombinationChoice.safeParse(target.value).data, before: undefined, cell: undefined },
            false,
          )
        }
      >
        <option value="">newest tested{newest === undefined ? '' : `: ${newest}`}</option>
        <option value="all">all combinations, the worst of each</option>
        {!isListed && <option value={chosen}>combination {chosen.slice(0, 12)}</option>}
        {combinations.map(({ hash, label }) => (
          <option key={hash} value={hash}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

const ORDER_LABEL: Record<RowOrder, string> = {
  suite: 'in the order of the suites',
  failures: 'most trouble first',
  flakiness: 'most flaky first',
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
  const { data, hasNextPage } = useInfiniteQuery(runsQuery());
  const runs = data?.pages.flat() ?? [];
  const isListed = run === undefined || runs.some(({ id }) => id === run);
  return (
    <label className="inline-field run-field">
      <span>Show</span>
      <select value={run ?? ''} onChange={(event) => onSelect(event.target.value || undefined)}>
        <option value="">newest of every combination</option>
        {!isListed && <option value={run}>run {run.slice(0, 8)}</option>}
        {runs.map(({ id, name, createdAt }) => (
          <option key={id} value={id}>
            {name} · {shortText(Date.parse(createdAt))}
          </option>
        ))}
        {hasNextPage && <option disabled>older runs: “Grid” on their own pages</option>}
      </select>
    </label>
  );
}
