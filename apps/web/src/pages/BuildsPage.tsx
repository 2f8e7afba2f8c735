import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { describeBuildError, type BuildSummary } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { buildsQuery } from '../api/builds.js';
import { FilterField } from '../ui/FilterField.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText, countText } from '../ui/numbers.js';
import { readPattern } from '../ui/pattern.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago, titleText } from '../ui/time.js';
import { StateBadge } from '../ui/verdict.js';

const route = getRouteApi('/builds');

/** All kernel builds, newest first. */
export function BuildsPage(): ReactNode {
  useTitle('Kernel builds');
  useTopics('builds');
  useListKeys();
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(buildsQuery());
  const pattern = useMemo(() => readPattern(q), [q]);
  return (
    <>
      <div className="page-head">
        <h1>Kernel builds</h1>
        <FilterField
          label="Filter builds"
          placeholder="Filter by name, release, config, state or run   ( / )"
          value={q ?? ''}
          problem={pattern.problem}
          onChange={(next) => void navigate({ search: { q: next || undefined }, replace: true, resetScroll: false })}
        />
      </div>
      <QuerySection query={query} what="the kernel builds">
        {({ pages }) => {
          const all = pages.flat();
          const shown = all.filter((build) => pattern.matches(searchTextOf(build)));
          if (all.length === 0) {
            return (
              <Empty title="No kernel was built yet.">
                <p>
                  A run builds the kernels that it names: <Link to="/submit">submit one</Link>.
                </p>
              </Empty>
            );
          }
          return (
            <>
              <BuildTable builds={shown} />
              {shown.length === 0 && <Empty title={`None of the ${countText(all.length)} loaded builds matches.`} />}
              {query.hasNextPage && (
                <p className="more">
                  <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    Load older builds
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

function searchTextOf({ name, runName, state, manifest }: BuildSummary): string {
  return `${name} ${runName} ${state} ${manifest?.release ?? ''} ${manifest?.config.name ?? ''} ${manifest?.buildId ?? ''}`;
}

function BuildTable({ builds }: { builds: readonly BuildSummary[] }): ReactNode {
  return (
    <ListTable
      rows={builds}
      keyOf={(build) => build.id}
      columns={[
        { name: 'State', render: (build) => <StateBadge state={build.state} /> },
        {
          name: 'Build',
          render: (build) => (
            <>
              <Link to="/builds/$build" params={{ build: build.id }} className="strong" data-row>
                {build.name}
              </Link>
              {build.error !== null && <div className="reason">{describeBuildError(build.error)}</div>}
            </>
          ),
        },
        {
          name: 'Release',
          render: (build) =>
            build.manifest === null ? (
              <span className="muted">{build.state === 'failed' ? 'not built' : 'not yet'}</span>
            ) : (
              <>
                <code className="whole">{build.manifest.release}</code>
                <div className="muted whole" title={`build-id ${build.manifest.buildId}`}>
                  build-id <code>{build.manifest.buildId.slice(0, 12)}</code>
                </div>
              </>
            ),
        },
        { name: 'Config', render: (build) => build.manifest?.config.name },
        {
          name: 'Patches',
          className: 'number',
          render: (build) =>
            build.manifest !== null && (build.manifest.patches === 0 ? 'none' : build.manifest.patches),
        },
        {
          name: 'Bundle',
          className: 'number',
          render: (build) =>
            build.bundle !== null && (
              <span
                title={build.bundle.removedAt === null ? undefined : `removed ${titleText(build.bundle.removedAt)}`}
              >
                {build.bundle.removedAt === null ? bytesText(build.bundle.sizeBytes) : 'removed'}
              </span>
            ),
        },
        {
          name: 'Run',
          render: (build) => (
            <Link to="/runs/$run" params={{ run: build.runId }}>
              {build.runName}
            </Link>
          ),
        },
        { name: 'Created', className: 'whole', render: (build) => <Ago at={build.createdAt} /> },
      ]}
    />
  );
}
