import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { metricPath, placeLabel, RunSide, runSideText, type ComparedSide, type Comparison } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { compareQuery } from '../api/compare.js';
import { runsQuery } from '../api/run-list.js';
import { ChangeCounts } from '../compare/ChangeCounts.js';
import { CompareModes } from '../compare/CompareModes.js';
import { ChangeTable } from '../compare/ChangeTable.js';
import { MessageSizes } from '../compare/MessageSizes.js';
import { MetricChanges } from '../compare/MetricChanges.js';
import { SidePicker } from '../compare/SidePicker.js';
import { useKeys } from '../keys.js';
import { shortBuildId } from '../runs/evidence.js';
import type { CompareSearch } from '../search.js';
import { FilterField } from '../ui/FilterField.js';
import { readPattern } from '../ui/pattern.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';

const route = getRouteApi('/compare');

/** Two builds side by side, of one run or of two. */
export function ComparePage(): ReactNode {
  const { a, b, rows, q, on, machines } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({
    ...compareQuery({ a: a ?? '', b, rows: rows ?? 'changed', on, machines }),
    enabled: a !== undefined,
    // Swapping the sides or showing other rows must not empty the page.
    placeholderData: keepPreviousData,
  });
  const comparison = a === undefined ? undefined : query.data;
  useTitle(comparison === undefined ? 'Compare' : `${sideName(comparison.a)} → ${sideName(comparison.b)}`);
  useRunTopics(a, b);
  const pattern = useMemo(() => readPattern(q), [q]);
  const change = (next: Partial<CompareSearch>, replace = false): void =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace, resetScroll: false });
  const swap = (): void => {
    if (comparison === undefined || query.isPlaceholderData) return;
    change({ a: sideText(comparison.b), b: sideText(comparison.a) });
  };
  useKeys({ swapSides: swap });
  const { data: listed, hasNextPage } = useInfiniteQuery(runsQuery());
  const runs = listed?.pages.flat() ?? [];
  return (
    <>
      <div className="page-head">
        <h1>Compare</h1>
        <CompareModes on="builds" build={comparison?.b.kernel.id} />
        {comparison !== undefined && (
          <>
            <FilterField
              label="Filter tests and metrics"
              placeholder="Filter: regex, ! to exclude   ( / )"
              value={q ?? ''}
              problem={pattern.problem}
              onChange={(next) => change({ q: next || undefined }, true)}
            />
            <label className="inline-field">
              <input
                type="checkbox"
                checked={rows === 'all'}
                onChange={(event) => change({ rows: event.target.checked ? 'all' : undefined })}
              />
              <span>show unchanged tests too</span>
            </label>
            <label className="inline-field" title="machines with the same hardware are told apart">
              <input
                type="checkbox"
                checked={machines === 'each'}
                onChange={(event) => change({ machines: event.target.checked ? 'each' : undefined })}
              />
              <span>by machine</span>
            </label>
          </>
        )}
      </div>
      <div className="sides">
        <SidePicker
          name="A"
          side={comparison?.a ?? null}
          chosen={runOf(a)}
          runs={runs}
          hasMore={hasNextPage}
          onChange={(next) => change({ a: next, ...(comparison !== undefined && { b: sideText(comparison.b) }) })}
        />
        <button
          type="button"
          className="swap"
          title="Swap the sides (x)"
          aria-label="swap the sides"
          disabled={comparison === undefined}
          onClick={swap}
        >
          <span aria-hidden="true">⇄</span>
        </button>
        <SidePicker
          name="B"
          side={comparison?.b ?? null}
          chosen={runOf(b) ?? runOf(a)}
          runs={runs}
          hasMore={hasNextPage}
          onChange={(next) => {
            // The other side must keep its value instead of changing with its default.
            if (comparison !== undefined) change({ a: sideText(comparison.a), b: next });
            else change(a === undefined ? { a: next } : { b: next });
          }}
        />
      </div>
      {a === undefined ? (
        <Empty title="Choose a run to compare.">
          <p>
            In one run the first build is compared with the last one. Two runs can be selected in the{' '}
            <Link to="/runs">list of runs</Link>.
          </p>
        </Empty>
      ) : (
        <QuerySection query={query} what="the comparison">
          {(data) => <Differences comparison={data} matches={pattern.matches} isAll={rows === 'all'} on={on} />}
        </QuerySection>
      )}
    </>
  );
}

function Differences({
  comparison,
  matches,
  isAll,
  on,
}: {
  comparison: Comparison;
  matches: (text: string) => boolean;
  isAll: boolean;
  on: string | undefined;
}): ReactNode {
  const { a, b, combinations, rows, metrics } = comparison;
  if (combinations.length === 0) {
    return (
      <Empty title="Neither side has a result yet.">
        <p>
          The runs may still be waiting for a machine: see <SideLink side={a} />
          {a.run.id !== b.run.id && (
            <>
              {' '}
              and <SideLink side={b} />
            </>
          )}
          .
        </p>
      </Empty>
    );
  }
  const labelOf = (index: number): string => placeLabel(comparison, index);
  return (
    <>
      <SameKernel comparison={comparison} />
      <StillRunning sides={a.run.id === b.run.id ? [a] : [a, b]} />
      <ChangeCounts combinations={combinations} only={on ?? null} />
      {on !== undefined && (
        <p className="notice notice-quiet">
          {combinations.find(({ combination }) => combination.hash === on)?.combination.label ??
            'A combination without results on either side'}{' '}
          is the only one listed below; the counts cover all.{' '}
          <Link to="/compare" search={(before) => ({ ...before, on: undefined })} resetScroll={false}>
            List all
          </Link>
        </p>
      )}
      <ChangeTable
        comparison={comparison}
        combinations={combinations}
        rows={rows.filter((row) => matches(`${row.suite}/${row.test} ${labelOf(row.combination)}`))}
        isAll={isAll}
      />
      <MessageSizes comparison={comparison} matches={matches} />
      <MetricChanges
        all={metrics}
        total={comparison.metricsTotal}
        metrics={metrics.filter((metric) => matches(`${metricPath(metric)} ${labelOf(metric.combination)}`))}
        hardware={(index) => combinations[index]}
        more={
          <>
            Put both builds into one run with <code>repeat: 5</code>:{' '}
            <Link to="/submit" search={{ from: b.run.id }}>
              edit this run
            </Link>
            .
          </>
        }
      />
    </>
  );
}

/** Differences between two tests of the same kernel are not changes of the kernel. */
function SameKernel({ comparison: { a, b, combinations } }: { comparison: Comparison }): ReactNode {
  const { buildId } = a.kernel;
  const isSameSide = a.run.id === b.run.id && a.kernel.name === b.kernel.name;
  if (!isSameSide && (buildId === null || buildId !== b.kernel.buildId)) return null;
  // The sides say what the first role boots; that of another one may differ under the same name.
  const isOfRoles = combinations.some(({ combination }) => combination.identity.peers !== undefined);
  return (
    <p className="notice notice-warn">
      {isSameSide ? 'Both sides are the same build of the same run. ' : 'Both sides are the same kernel '}
      {!isSameSide && buildId !== null && (
        <>
          (build-id <code title={buildId}>{shortBuildId(buildId)}</code>): differences are noise, the hardware or a
          flaky test{isOfRoles && ', or the kernels of other roles'}.
        </>
      )}
      {isSameSide && 'Choose another build or another run.'}
    </p>
  );
}

/** Results that are still missing look like gone or new tests. */
function StillRunning({ sides }: { sides: readonly ComparedSide[] }): ReactNode {
  const running = sides.filter(({ run }) => run.state !== 'ended');
  if (running.length === 0) return null;
  return (
    <p className="notice notice-quiet">
      {running.map((side) => (
        <span key={side.run.id}>
          <SideLink side={side} /> has not ended: tests shown as gone or new may only be missing results.{' '}
        </span>
      ))}
    </p>
  );
}

function SideLink({ side }: { side: ComparedSide }): ReactNode {
  return (
    <Link to="/runs/$run" params={{ run: side.run.id }}>
      {side.run.name}
    </Link>
  );
}

function useRunTopics(a: string | undefined, b: string | undefined): void {
  const topics = [...new Set([runOf(a), runOf(b)])].flatMap((run) => (run === null ? [] : [`run:${run}`]));
  useTopics('runs', ...topics);
}

function runOf(side: string | undefined): string | null {
  const parsed = RunSide.safeParse(side);
  return parsed.success ? parsed.data.run : null;
}

const sideText = (side: ComparedSide): string => runSideText(side.run.id, side.kernel.name);
const sideName = (side: ComparedSide): string => side.kernel.name;
