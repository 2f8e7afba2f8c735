import { Link } from '@tanstack/react-router';
import { KERNELS_MAX, OLDER_KERNELS_COUNTED, type BuildGrid } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useKeys } from '../keys.js';
import { countText } from '../ui/numbers.js';
import { Empty } from '../ui/section.js';
import { exactText } from '../ui/time.js';
import { TestCell } from './cells.js';
import { useFlips } from './flips.js';
import { GridTable } from './GridTable.js';
import { findKernelCell, foldTexts, groupKernels, kernelCellName } from './kernel-model.js';
import { KernelHeader, ROOMY_KERNELS } from './KernelHeader.js';
import { KernelPanel } from './KernelPanel.js';
import { alikeCells, groupRows, groupStarts, reasonLookup, sortRows, verdictAt } from './model.js';
import { Totals } from './Totals.js';
import { focusGrid, useFolded, type GridViewProps } from './view.js';

/** A table of more cells is drawn dense. */
const ROOMY_CELLS = 6000;

/** Tests × kernels: what became of every test from kernel to kernel. */
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
    () => groupRows(grid, matches).map(({ suite, rows }) => ({ suite, rows: sortRows(grid, rows, order, flips) })),
    [grid, matches, order, flips],
  );
  const close = (): void => {
    change({ cell: undefined });
    focusGrid();
  };
  useKeys(open === null ? {} : { closePanel: close });
  if (grid.columns.length === 0) return <NoKernels grid={grid} />;
  const name = (row: number, column: number): string => kernelCellName(grid, row, column);
  return (
    <div className={open === null ? 'grid-layout' : 'grid-layout with-panel'}>
      <div className="grid-side">
        <Totals grid={grid} suites={suites} columns={grid.columns.length} at={grid.generatedAt}>
          {grid.older > 0 && (
            <span className="muted">
              The newest {KERNELS_MAX} kernels;{' '}
              {grid.older === OLDER_KERNELS_COUNTED ? `${countText(grid.older)} or more` : countText(grid.older)} older{' '}
              {grid.older === 1 ? 'one has' : 'ones have'} results, see <Link to="/builds">all builds</Link>
            </span>
          )}
        </Totals>
        {grid.pending > 0 && (
          <p className="notice notice-quiet" role="status">
            Results of {countText(grid.pending)} older {grid.pending === 1 ? 'attempt is' : 'attempts are'} still being
            summed up; cells fill in by themselves.
          </p>
        )}
        {notice}
        <GridTable
          label={`Verdicts by test and kernel build, ${grid.combination?.label ?? 'all combinations'}`}
          rows={grid.rows}
          suites={suites}
          columns={grid.columns.length}
          starts={starts}
          folded={folded}
          open={open}
          roomyCells={ROOMY_CELLS}
          isNarrow={grid.columns.length > ROOMY_KERNELS}
          renderHead={(frame) => <KernelHeader columns={grid.columns} groups={groups} {...frame} />}
          renderCell={(row, column, look) => {
            const kernel = grid.columns[column];
            const differs = texts.get(`${row}:${column}`);
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
                ]}
                isAlike={alike.has(`${row}:${column}`)}
                look={look}
              >
                {differs !== undefined && (
                  <>
                    <span className="cell-differs" aria-hidden="true" />
                    <span className="unseen">, {differs}</span>
                  </>
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
          key={name(open.row, open.column)}
          grid={grid}
          row={open.row}
          column={open.column}
          onOpen={(column) => change({ cell: name(open.row, column) })}
          onClose={close}
        />
      )}
    </div>
  );
}

function NoKernels({ grid }: { grid: BuildGrid }): ReactNode {
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
