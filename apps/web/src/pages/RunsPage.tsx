import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { RunSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { PickBar, readPicks, togglePick } from '../compare/PickBar.js';
import { useTopics } from '../api/live-context.js';
import { runsQuery } from '../api/run-list.js';
import type { RunsSearch } from '../search.js';
import { RunFilters } from '../runs/RunFilters.js';
import { FilterField } from '../ui/FilterField.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { RunStanding, VerdictCounts } from '../ui/verdict.js';

const route = getRouteApi('/runs');

/** All runs, newest first. */
export function RunsPage(): ReactNode {
  useTitle('Runs');
  useTopics('runs');
  useListKeys();
  const { pick, ...filter } = route.useSearch();
  const navigate = route.useNavigate();
  // While the next list loads, the one before stays.
  const query = useInfiniteQuery({ ...runsQuery(filter), placeholderData: keepPreviousData });
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  const picked = readPicks(pick);
  const change = (next: Partial<RunsSearch>): void =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false });
  return (
    <>
      <div className="page-head">
        <h1>Runs</h1>
        <FilterField
          label="Filter runs"
          placeholder="Part of the name   ( / )"
          value={filter.q ?? ''}
          maxLength={120}
          onChange={(next) => change({ q: next || undefined })}
        />
        <Link to="/submit" className="button primary push">
          Submit a run
        </Link>
      </div>
      <RunFilters filter={filter} onChange={change} />
      <QuerySection query={query} what="the runs">
        {({ pages }) => {
          const all = pages.flat();
          if (all.length === 0 && isFiltered) {
            return (
              <Empty title="No run matches the filter.">
                <p>
                  <Link to="/runs">Clear the filter</Link> to see all of them.
                </p>
              </Empty>
            );
          }
          if (all.length === 0) {
            return (
              <Empty title="No run yet.">
                <p>
                  <Link to="/submit">Submit one</Link>: start from a template or an example.
                </p>
              </Empty>
            );
          }
          return (
            <>
              <RunsTable
                runs={all}
                picked={picked}
                onPick={(run) => change({ pick: togglePick(picked, run).join(',') || undefined })}
              />
              <PickBar runs={all} picked={picked} onClear={() => change({ pick: undefined })} />
              {query.hasNextPage && (
                <p>
                  <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    Load older runs
                  </button>
                </p>
              )}
            </>
          );
        }}
      </QuerySection>
    </>
  );
}

function RunsTable({
  runs,
  picked,
  onPick,
}: {
  runs: readonly RunSummary[];
  picked: readonly string[];
  onPick: (run: string) => void;
}): ReactNode {
  return (
    <ListTable
      rows={runs}
      keyOf={(run) => run.id}
      columns={[
        {
          name: 'Compare',
          head: <span className="unseen">Compare</span>,
          render: (run) => (
            <input
              type="checkbox"
              aria-label={`compare ${run.name}`}
              title="Choose two runs to compare"
              checked={picked.includes(run.id)}
              onChange={() => onPick(run.id)}
            />
          ),
        },
        {
          name: 'Verdict',
          render: (run) => <RunStanding run={run} />,
        },
        {
          name: 'Run',
          render: (run) => (
            <>
              <Link to="/runs/$run" params={{ run: run.id }} className="strong" data-row>
                {run.name}
              </Link>
              <div className="muted">{run.builds.join(', ')}</div>
            </>
          ),
        },
        { name: 'Results', render: (run) => <VerdictCounts counts={run.counts} /> },
        {
          name: 'Jobs',
          className: 'number',
          render: (run) => (
            <>
              {run.jobs.ended}/{run.jobs.total}
            </>
          ),
        },
        {
          name: 'Trigger',
          render: (run) => (
            <>
              {run.trigger.kind} <span className="muted">{run.trigger.detail}</span>
            </>
          ),
        },
        { name: 'Created', render: (run) => <Ago at={run.createdAt} /> },
        { name: 'Took', className: 'number', render: (run) => <Elapsed from={run.startedAt} to={run.endedAt} /> },
      ]}
    />
  );
}
