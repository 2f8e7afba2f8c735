import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { CrashSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { crashesQuery } from '../api/crashes.js';
import { CrashMark } from '../crashes/CrashMark.js';
import { FilterField } from '../ui/FilterField.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf, countText } from '../ui/numbers.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';

const route = getRouteApi('/crashes');

/** What kernels reported in the logs of all runs, those seen last first. */
export function CrashesPage(): ReactNode {
  useTitle('Kernel crashes');
  useTopics('grid');
  useListKeys();
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(crashesQuery(q));
  return (
    <>
      <div className="page-head">
        <h1>Kernel crashes</h1>
        <FilterField
          label="Filter crashes"
          placeholder="Part of a title, such as KASAN   ( / )"
          value={q ?? ''}
          problem={null}
          onChange={(next) => void navigate({ search: { q: next || undefined }, replace: true, resetScroll: false })}
        />
      </div>
      <QuerySection query={query} what="the crashes">
        {({ crashes, total }) =>
          crashes.length === 0 ? (
            <Empty title={q === undefined ? 'No kernel has reported anything.' : 'No title of a crash has this in it.'}>
              <p>The logs of every attempt are searched for reports of the kernel under test when it has ended.</p>
            </Empty>
          ) : (
            <>
              <CrashTable crashes={crashes} />
              {total > crashes.length && (
                <p className="muted">
                  The {countText(total - crashes.length)} that were seen longest ago are not listed.
                </p>
              )}
            </>
          )
        }
      </QuerySection>
    </>
  );
}

function CrashTable({ crashes }: { crashes: readonly CrashSummary[] }): ReactNode {
  return (
    <ListTable
      rows={crashes}
      keyOf={({ key }) => key}
      columns={[
        { name: 'Kind', render: (crash) => <CrashMark crash={crash} /> },
        {
          name: 'Crash',
          render: ({ key, title, type }) => (
            <>
              <Link to="/crashes/$crash" params={{ crash: key }} className="strong" data-row>
                {title}
              </Link>
              <div className="muted">{type}</div>
            </>
          ),
        },
        {
          name: 'Seen',
          render: ({ count, combinations }) => `${countOf(count, 'time')} on ${countOf(combinations, 'combination')}`,
        },
        {
          name: 'Since',
          render: ({ first }) => (
            <>
              <Ago at={first.at} /> <span className="muted">build {first.build}</span>
            </>
          ),
        },
        {
          name: 'Last',
          className: 'whole',
          render: ({ last }) => (
            <Link to="/attempts/$attempt" params={{ attempt: last.attemptId }}>
              <Ago at={last.at} />
            </Link>
          ),
        },
      ]}
    />
  );
}
