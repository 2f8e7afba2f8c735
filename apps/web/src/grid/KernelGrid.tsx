import { Link } from '@tanstack/react-router';
import { KERNEL_ATTEMPTS, KERNEL_ATTEMPTS_ALL, metricPath, type BuildGrid } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useKeys } from '../keys.js';
import { countText } from '../ui/numbers.js';
import { Empty } from '../ui/section.js';
import { NotesCut } from './NotesCut.js';
import { NothingMatches } from './NothingMatches.js';
import { exactText } from '../ui/time.js';
import { TestCell } from './cells.js';
import { useFlips } from './flips.js';
import { GridTable } from './GridTable.js';
import { useKernelMetrics } from './kernel-metrics.js';
import { findKernelCell, foldTexts, groupKernels, kernelCellName } from './kernel-model.js';
import { KernelHeader, ROOMY_KERNELS } from './KernelHeader.js';
import { KernelPages } from './KernelPages.js';
import { KernelPanel } from './KernelPanel.js';
import { CellMetric, denseRoom, metricFacts, type MetricRoom } from './metrics.js';
import { MetricRows } from './MetricRows.js';
import { alikeCells, groupRows, groupStarts, metricsOf, reasonLookup, sortRows, verdictAt } from './model.js';
import { rowFilter } from './row-choice.js';
import { Totals } from './Totals.js';
import { focusGrid, useFolded, type GridViewProps } from './view.js';

/** Of a table with more cells, only the part in view is drawn. */
const WHOLE_CELLS = 6000;

/** Tests × kernels: the verdict of every test from kernel to kernel. */
export function KernelGrid({ data: grid, search, matches, change }: GridViewProps<BuildGrid>): ReactNode {
  const { folded, fold } = useFolded(search, change);
  const order = search.sort ?? 'suite';
  const open = useMemo(() => findKernelCell(grid, search.cell), [grid, search.cell]);
  const groups = useMemo(() => groupKernels(grid.columns), [grid]);
  const starts = useMemo(() => groupStarts(groups), [groups]);
  const reasons = useMemo(() => reasonLookup(grid), [grid]);
  const alike = useMemo(() => alikeCells(grid, open), [grid, open]);
  const texts = useMemo(() => foldTexts(grid), [grid]);
  const { flips, notice, renderRowNote } = useFlips(grid, order === 'flakiness', grid.combination?.hash);
  const suites = useMemo(
    () =>
      groupRows(grid, rowFilter(grid, { verdict: search.verdict, differing: search.differing }, matches)).map(
        ({ suite, rows }) => ({ suite, rows: sortRows(grid, rows, order, flips) }),
      ),
    [grid, matches, search.verdict, search.differing, order, flips],
  );
  const {
    metrics,
    frame,
    reference,
    notice: metricNotice,
  } = useKernelMetrics(grid, search.show === 'metric', search.before);
  const measured = useMemo(
    () => (metrics.length === 0 ? [] : grid.rows.map((_, row) => metricsOf(grid, metrics, row))),
    [grid, metrics],
  );
  const listed = useMemo(() => metrics.filter((metric) => matches(metricPath(metric))), [metrics, matches]);
  const isNarrow = grid.columns.length > ROOMY_KERNELS;
  const roomOf = (dense: boolean): MetricRoom =>
    dense ? denseRoom(grid.columns.length) : isNarrow ? 'narrow' : 'wide';
  const close = (): void => {
    change({ cell: undefined });
    focusGrid();
  };
  useKeys(open === null ? {} : { closePanel: close });
  if (grid.columns.length === 0) return <NoKernels grid={grid} search={search} />;
  const name = (row: number, column: number): string => kernelCellName(grid, row, column);
  return (
    <div className={open === null ? 'grid-layout' : 'grid-layout with-panel'}>
      <div className="grid-side">
        <div className="grid-facts">
          <Totals
            grid={grid}
            suites={suites}
            columns={grid.columns.length}
            at={grid.generatedAt}
            search={search}
            change={change}
          />
          <KernelPages grid={grid} search={search} />
        </div>
        {grid.pending > 0 && (
          <p className="notice notice-quiet" role="status">
            Results of {countText(grid.pending)} older {grid.pending === 1 ? 'attempt is' : 'attempts are'} still being
            summarised; cells fill in by themselves.
          </p>
        )}
        <NotesCut grid={grid} />
        <AttemptsCut grid={grid} />
        {notice}
        {metricNotice}
        {suites.length === 0 && <NothingMatches search={search} change={change} />}
        <GridTable
          // Another page of kernels begins at the left.
          key={search.before ?? ''}
          label={`Verdicts by test and kernel build, ${grid.combination?.label ?? 'all combinations'}`}
          rows={grid.rows}
          suites={suites}
          columns={grid.columns.length}
          starts={starts}
          folded={folded}
          open={open}
          wholeCells={WHOLE_CELLS}
          isRoomy={search.show === 'metric'}
          isNarrow={isNarrow}
          renderHead={(head) => <KernelHeader columns={grid.columns} groups={groups} reference={reference} {...head} />}
          renderFoot={({ dense, shown }) => (
            <MetricRows
              metrics={listed}
              frame={frame}
              only={grid.combination?.hash}
              columns={grid.columns.length}
              starts={starts}
              room={roomOf(dense)}
              shown={shown}
            />
          )}
          renderCell={(row, column, look) => {
            const kernel = grid.columns[column];
            const differs = texts.get(`${row}:${column}`);
            const own = measured[row] ?? [];
            return (
              <TestCell
                key={column}
                verdict={verdictAt(grid, row, column)}
                pending={null}
                reason={reasons.get(`${row}:${column}`)}
                facts={[
                  ...(differs === undefined ? [] : [differs]),
                  ...(kernel === undefined ? [] : [`${kernel.build.name}, ${kernel.release}`]),
                  ...(kernel?.testedAt == null ? [] : [`tested ${exactText(Date.parse(kernel.testedAt))}`]),
                  ...own.flatMap((metric) => metricFacts(metric, column, frame)),
                ]}
                isAlike={alike.has(`${row}:${column}`)}
                look={look}
              >
                {/* A cell with nothing but its verdict is drawn as one element. */}
                {differs !== undefined ? (
                  <>
                    <span className="cell-differs" aria-hidden="true" />
                    <span className="unseen">, {differs}</span>
                  </>
                ) : (
                  own.length > 0 && <CellMetric metrics={own} column={column} frame={frame} room={roomOf(look.dense)} />
                )}
              </TestCell>
            );
          }}
          {...(renderRowNote === undefined ? {} : { renderRowNote })}
          onFold={fold}
          onOpen={(place) =>
            place === null ? close() : change({ cell: name(place.row, place.column) }, open !== null)
          }
        />
      </div>
      {open !== null && (
        <KernelPanel
          grid={grid}
          metrics={measured[open.row] ?? []}
          frame={frame}
          row={open.row}
          column={open.column}
          onOpen={(column) => change({ cell: name(open.row, column) })}
          onClose={close}
        />
      )}
    </div>
  );
}

/** Says of how many attempts the cells are where there are more. */
function AttemptsCut({ grid: { columns, combination } }: { grid: BuildGrid }): ReactNode {
  const cut = columns.filter(({ isCut }) => isCut).length;
  if (cut === 0) return null;
  return (
    <p className="totals muted">
      A cell sums up the newest {KERNEL_ATTEMPTS} attempts of a kernel
      {combination === null && ` on each combination (at most ${KERNEL_ATTEMPTS_ALL} in all)`};{' '}
      {cut === 1 ? 'one kernel here has' : `${countText(cut)} kernels here have`} older ones, which the history of a
      test lists.
    </p>
  );
}

function NoKernels({ grid, search }: Pick<GridViewProps<unknown>, 'search'> & { grid: BuildGrid }): ReactNode {
  if (grid.newer.count > 0) {
    return (
      <>
        <KernelPages grid={grid} search={search} />
        <Empty title="No older kernel was tested.">
          <p>All kernels with results are newer than the time in the address.</p>
        </Empty>
      </>
    );
  }
  if (grid.combinations.length === 0) {
    return (
      <Empty title="No kernel was tested yet.">
        <p>
          <Link to="/submit">Submit a run</Link>: every kernel that it tests becomes a column here.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No kernel was tested on this combination.">
      <p>
        Choose another one above, or look at{' '}
        <Link to="/" search={{ by: 'builds', combination: 'all' }}>
          all combinations
        </Link>
        .
      </p>
    </Empty>
  );
}
