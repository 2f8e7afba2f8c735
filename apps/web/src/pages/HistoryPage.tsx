import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { arrangeHistory, type TestHistory } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { historyQuery } from '../api/over-time.js';
import { HistoryStrips } from '../history/HistoryStrips.js';
import { HistoryTable } from '../history/HistoryTable.js';
import type { HistorySearch } from '../search.js';
import { countText } from '../ui/numbers.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';

const route = getRouteApi('/history');

type Chosen = HistorySearch & { suite: string; test: string };

/** The results of one test over time, by hardware combination and kernel. */
export function HistoryPage(): ReactNode {
  const { suite, test, ...filters } = route.useSearch();
  useTitle(test === undefined ? 'History' : `History of ${test}`);
  if (suite === undefined || test === undefined) {
    return (
      <>
        <h1 className="page-head">Test history</h1>
        <Empty title="No test is chosen.">
          <p>
            Open a cell of the <Link to="/">grid</Link>, or the results of an attempt, and follow the test’s history
            from there.
          </p>
        </Empty>
      </>
    );
  }
  return <HistoryOfTest chosen={{ ...filters, suite, test }} />;
}

function HistoryOfTest({ chosen }: { chosen: Chosen }): ReactNode {
  useTopics('grid');
  const query = useInfiniteQuery(historyQuery(chosen));
  const { suite, test } = chosen;
  return (
    <>
      <p className="crumbs">
        <Link to="/">Grid</Link> / <span className="muted">{suite}</span>
      </p>
      <div className="page-head">
        <h1>{test}</h1>
        <Filters chosen={chosen} />
      </div>
      <QuerySection query={query} what="the history">
        {({ pages }) => (
          <>
            <Results pages={pages} chosen={chosen} isWhole={!query.hasNextPage} />
            {query.hasNextPage && (
              <p className="after-list">
                <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  Load older results
                </button>
              </p>
            )}
          </>
        )}
      </QuerySection>
    </>
  );
}

function Results({
  pages,
  chosen,
  isWhole,
}: {
  pages: readonly TestHistory[];
  chosen: Chosen;
  isWhole: boolean;
}): ReactNode {
  const entries = useMemo(() => pages.flatMap((page) => page.entries), [pages]);
  const combinations = useMemo(() => combinationsOf(pages), [pages]);
  const histories = useMemo(() => arrangeHistory(entries, combinations), [entries, combinations]);
  if (entries.length === 0) {
    const isFiltered = chosen.combination !== undefined || chosen.build !== undefined;
    return (
      <Empty title={isFiltered ? 'No result matches the filters.' : 'This test has no result.'}>
        <p>
          {isFiltered ? (
            <Link to="/history" search={{ suite: chosen.suite, test: chosen.test }}>
              Show all results of the test
            </Link>
          ) : (
            <>
              It may have been renamed: the <Link to="/">grid</Link> shows the newest tests.
            </>
          )}
        </p>
      </Empty>
    );
  }
  return (
    <>
      <p className="totals muted">
        {isWhole
          ? allText(entries.length)
          : `The newest ${countText(entries.length)} results; older ones exist. The counts cover the newest.`}{' '}
        Oldest on the left. The pass rate counts conclusive results only, without skipped, not reached and canceled
        tests and failures of the lab.
      </p>
      <HistoryStrips histories={histories} chosen={chosen} />
      <HistoryTable entries={entries} combinations={combinations} chosen={chosen} />
    </>
  );
}

/** The choices are those in the unfiltered history, and the current one. */
function Filters({ chosen }: { chosen: Chosen }): ReactNode {
  const navigate = route.useNavigate();
  const { suite, test } = chosen;
  const { data } = useInfiniteQuery(historyQuery({ suite, test }));
  const pages = data?.pages ?? [];
  const combinations = combinationsOf(pages);
  const builds = [...new Set(pages.flatMap((page) => page.entries.map(({ kernel }) => kernel.name)))].toSorted();
  const isKnown = combinations.some(({ hash }) => hash === chosen.combination);
  const change = (next: Partial<HistorySearch>): void =>
    void navigate({ search: (before) => ({ ...before, ...next }), resetScroll: false });
  return (
    <>
      <label className="inline-field">
        <span>Combination</span>
        <select
          value={chosen.combination ?? ''}
          onChange={(event) => change({ combination: event.target.value || undefined })}
        >
          <option value="">all</option>
          {chosen.combination !== undefined && !isKnown && (
            <option value={chosen.combination}>{chosen.combination.slice(0, 8)}</option>
          )}
          {combinations.map(({ hash, label }) => (
            <option key={hash} value={hash}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label className="inline-field">
        <span>Build</span>
        <select value={chosen.build ?? ''} onChange={(event) => change({ build: event.target.value || undefined })}>
          <option value="">all</option>
          {chosen.build !== undefined && !builds.includes(chosen.build) && (
            <option value={chosen.build}>{chosen.build}</option>
          )}
          {builds.map((build) => (
            <option key={build} value={build}>
              {build}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

function combinationsOf(pages: readonly TestHistory[]): TestHistory['combinations'] {
  const byHash = new Map(pages.flatMap((page) => page.combinations.map((each) => [each.hash, each])));
  return [...byHash.values()].toSorted((a, b) => a.label.localeCompare(b.label));
}

const allText = (count: number): string => (count === 1 ? 'The only result.' : `All ${countText(count)} results.`);
