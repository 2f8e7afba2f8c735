import { Link } from '@tanstack/react-router';
import { columnsBeside, foldBoots, isVirtual, metricPath, type Grid } from '@peerlab/contracts';
import { lazy, Suspense, useEffect, useMemo, type ReactNode } from 'react';
import { useKeys } from '../keys.js';
import { whenThere } from '../lazy-page.js';
import { Empty } from '../ui/section.js';
import { NotesCut } from './NotesCut.js';
import { NothingMatches } from './NothingMatches.js';
import { TestCell } from './cells.js';
import { useFlips } from './flips.js';
import { clearInFolded } from './grid-verdicts.js';
import { GridHeader } from './GridHeader.js';
import { GridTable } from './GridTable.js';
import { CellMetric, denseRoom, metricFacts, type MetricFrame } from './metrics.js';
import { knownCells, newFirst } from './known.js';
import { KnownNotice } from './KnownNotice.js';
import { MetricRows } from './MetricRows.js';
import {
  alikeCells,
  cellName,
  findCell,
  groupColumns,
  groupRows,
  groupStarts,
  isPending,
  metricsOf,
  reasonLookup,
  sortRows,
  verdictAt,
} from './model.js';
import { rowFilter } from './row-choice.js';
import { PickedHardware } from './PickHardware.js';
import { Totals } from './Totals.js';
import { focusGrid, useFolded, type GridViewProps } from './view.js';

const loadPanel = whenThere(async () => ({ default: (await import('./CellPanel.js')).CellPanel }));
const CellPanel = lazy(loadPanel);

/** Tests × hardware combinations and the kernel builds tried on them. */
export function CombinationGrid({ data: source, search, matches, change }: GridViewProps<Grid>): ReactNode {
  const isFolded = search.boots === undefined;
  const { grid, bootsOf } = useMemo(
    () => (isFolded ? foldBoots(source) : { grid: source, bootsOf: source.columns.map((_, index) => [index]) }),
    [source, isFolded],
  );
  const { folded, fold } = useFolded(search, change);
  const order = search.sort ?? 'suite';
  const open = useMemo(() => findCell(grid, search.cell), [grid, search.cell]);
  const isByMachine = search.machines === 'each';
  const groups = useMemo(() => groupColumns(grid.columns, isByMachine), [grid, isByMachine]);
  const frame = useMemo((): MetricFrame => {
    // By column: every cell that is drawn needs it.
    const groupAt = groups.flatMap((group) => group.columns.map(() => group));
    const beside = grid.columns.map((_, column) => columnsBeside(grid.columns, column));
    const againstOf = (column: number): readonly number[] => beside[column] ?? [];
    return {
      againstOf,
      isVirtual: grid.columns.some(({ combination }) => isVirtual(combination.identity)),
      isClear: clearInFolded({ grid, bootsOf }, source),
      nameOf: (column) => `build ${grid.columns[column]?.build.name ?? ''}`,
      combinationOf: (column) => groupAt[column]?.combination.hash ?? '',
    };
  }, [grid, groups, bootsOf, source]);
  const starts = useMemo(() => groupStarts(groups), [groups]);
  const reasons = useMemo(() => reasonLookup(grid), [grid]);
  const alike = useMemo(() => alikeCells(grid, open), [grid, open]);
  const { flips, notice, renderRowNote } = useFlips(grid, order === 'flakiness', undefined);
  const known = useMemo(() => knownCells(grid), [grid]);
  const suites = useMemo(() => {
    const filter = rowFilter(grid, { verdict: search.verdict, differing: search.differing }, matches);
    const sorted = groupRows(grid, filter).map(({ suite, rows }) => ({
      suite,
      rows: sortRows(grid, rows, order, flips),
    }));
    return known === null || order !== 'suite' ? sorted : newFirst(sorted, known);
  }, [grid, matches, search.verdict, search.differing, order, flips, known]);
  const showMetrics = search.show === 'metric';
  const measured = useMemo(
    () => (showMetrics ? grid.rows.map((_, row) => metricsOf(grid, grid.metrics, row)) : []),
    [grid, showMetrics],
  );
  const metrics = useMemo(() => grid.metrics.filter((metric) => matches(metricPath(metric))), [grid, matches]);
  const close = (): void => {
    change({ cell: undefined });
    focusGrid();
  };
  useKeys(open === null ? {} : { closePanel: close });
  // Fetched after the grid, which shows without it.
  useEffect(() => void loadPanel().catch(() => undefined), []);
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
  return (
    <div className={open === null ? 'grid-layout' : 'grid-layout with-panel'}>
      <div className="grid-side">
        <Totals
          grid={grid}
          suites={suites}
          columns={grid.columns.length}
          at={grid.generatedAt}
          search={search}
          change={change}
        >
          {(source.hasTwins === true || isByMachine) && (
            <button
              type="button"
              className="count"
              aria-pressed={isByMachine}
              title="several machines have the same hardware: without this the newest result of any of them is shown"
              onClick={() => change({ machines: isByMachine ? undefined : 'each', cell: undefined }, false)}
            >
              a column for each machine
            </button>
          )}
          {source.columns.some(({ boot }) => boot !== null) && (
            <button
              type="button"
              className="count"
              aria-pressed={!isFolded}
              title="a run with repeat boots each kernel several times on a machine"
              onClick={() => change({ boots: isFolded ? 'each' : undefined, cell: undefined }, false)}
            >
              a column for each boot
            </button>
          )}
        </Totals>
        <NotesCut grid={source} />
        <KnownNotice known={known} marks={grid.marks} />
        {notice}
        <PickedHardware combinations={groups.map(({ combination }) => combination)} />
        {suites.length === 0 && <NothingMatches search={search} change={change} />}
        <GridTable
          label="Verdicts by test and hardware combination"
          rows={grid.rows}
          suites={suites}
          columns={grid.columns.length}
          starts={starts}
          folded={folded}
          open={open}
          isRoomy={showMetrics}
          renderHead={(frame) => (
            <GridHeader
              columns={grid.columns}
              bootsOf={(column) => (bootsOf[column] ?? []).flatMap((boot) => source.columns[boot] ?? [])}
              groups={groups}
              showRun={search.run === undefined}
              {...frame}
            />
          )}
          renderFoot={({ dense, shown }) => (
            <MetricRows
              metrics={metrics}
              frame={frame}
              columns={grid.columns.length}
              starts={starts}
              room={dense ? denseRoom(grid.columns.length) : 'wide'}
              shown={shown}
            />
          )}
          renderCell={(row, column, look) => {
            const at = grid.columns[column];
            const own = measured[row] ?? [];
            const mark = known?.textOf(row, column);
            return (
              <TestCell
                key={column}
                verdict={verdictAt(grid, row, column)}
                pending={isPending(grid, row, column) ? `not reached yet: the job is ${at?.state ?? ''}` : null}
                reason={reasons.get(`${row}:${column}`)}
                facts={[
                  ...(at?.at == null ? [] : [new Date(at.at).toLocaleString()]),
                  ...own.flatMap((metric) => metricFacts(metric, column, frame)),
                  ...(mark === undefined ? [] : [mark]),
                ]}
                isKnown={mark !== undefined}
                isAlike={alike.has(`${row}:${column}`)}
                look={look}
              >
                {own.length > 0 && (
                  <CellMetric metrics={own} column={column} frame={frame} room={look.dense ? 'dense' : 'wide'} />
                )}
              </TestCell>
            );
          }}
          {...(renderRowNote === undefined ? {} : { renderRowNote })}
          onFold={fold}
          onOpen={(place) =>
            place === null ? close() : change({ cell: cellName(grid, place.row, place.column) }, open !== null)
          }
        />
      </div>
      {open !== null && (
        <Suspense fallback={null}>
          <CellPanel
            grid={grid}
            source={source}
            boots={bootsOf[open.column] ?? []}
            frame={frame}
            row={open.row}
            column={open.column}
            onOpen={(column) => change({ cell: cellName(grid, open.row, column) })}
            onClose={close}
          />
        </Suspense>
      )}
    </div>
  );
}
