import { memo, useMemo, type CSSProperties, type ReactNode } from 'react';
import { SuiteCell, type CellPlace } from './cells.js';
import type { GridRows } from './model.js';
import type { ColumnWindow } from './window.js';

/** How a cell is drawn. */
export interface CellLook {
  isOpen: boolean;
  /** First column of its group. */
  isStart: boolean;
  dense: boolean;
  place: CellPlace;
}

/** The columns that are drawn, for the header and footer rows. */
export interface GridFrame {
  dense: boolean;
  shown: ColumnWindow;
}

/** Header or footer; drawn again only when its properties change. */
export const FramePart = memo(function FramePart({
  render,
  dense,
  shown,
}: GridFrame & { render: (frame: GridFrame) => ReactNode }): ReactNode {
  return render({ dense, shown });
});

/** Properties of every line. None of them changes while the focus moves on another line. */
interface LineProps {
  line: number;
  fromColumn: number;
  toColumn: number;
  /** How many columns there are. */
  columns: number;
  /** The tab stop, 0 = the row's header; -1 when it is on another line. */
  focused: number;
  starts: ReadonlySet<number>;
  dense: boolean;
}

const placeAt = ({ line, focused }: LineProps, column: number): CellPlace => ({
  'data-line': line,
  'data-column': column,
  'aria-colindex': column + 1,
  tabIndex: column === focused ? 0 : -1,
});

/** The line of a suite, or of a level of its tests: a click on its name folds it, its cells summarise it. */
export const LevelLine = memo(function LevelLine({
  grid,
  name,
  depth,
  rows,
  isFolded,
  isNarrow,
  ...line
}: LineProps & {
  grid: GridRows;
  name: string;
  /** 0 = a suite. */
  depth: number;
  rows: readonly number[];
  isFolded: boolean;
  isNarrow: boolean;
}): ReactNode {
  return (
    <tr className="suite-row" aria-rowindex={line.line + 1}>
      <th scope="row" {...placeAt(line, 0)} aria-expanded={!isFolded} className="row-head" style={indent(depth)}>
        <span aria-hidden="true" className="fold">
          {isFolded ? '▸' : '▾'}
        </span>
        {name} <span className="muted">{rows.length}</span>
      </th>
      <Cells {...line}>
        {(column) => (
          <SuiteCell
            key={column}
            grid={grid}
            rows={rows}
            column={column}
            dense={line.dense}
            isNarrow={isNarrow}
            className={line.starts.has(column) ? 'group-start' : ''}
            place={placeAt(line, column + 1)}
          />
        )}
      </Cells>
    </tr>
  );
});

/** The line of a test. */
export const TestLine = memo(function TestLine({
  row,
  test,
  name,
  depth,
  openColumn,
  renderCell,
  renderRowNote,
  ...line
}: LineProps & {
  row: number;
  test: string;
  /** What it adds to its level. */
  name: string;
  /** Of its level. */
  depth: number;
  /** Column of the open cell; -1 when it is on another line. */
  openColumn: number;
  renderCell: (row: number, column: number, look: CellLook) => ReactNode;
  renderRowNote: ((row: number) => ReactNode) | undefined;
}): ReactNode {
  return (
    <tr aria-rowindex={line.line + 1}>
      <th scope="row" {...placeAt(line, 0)} className="row-head test-name" title={test} style={indent(depth)}>
        {name}
        {renderRowNote?.(row)}
      </th>
      <Cells {...line}>
        {(column) =>
          renderCell(row, column, {
            isOpen: column === openColumn,
            isStart: line.starts.has(column),
            dense: line.dense,
            place: placeAt(line, column + 1),
          })
        }
      </Cells>
    </tr>
  );
});

/** Levels below a suite stand further in; those that are very deep no further. */
const indent = (depth: number): CSSProperties | undefined =>
  depth === 0 ? undefined : ({ '--depth': Math.min(depth, 6) } as CSSProperties);

/** The cells that are drawn, and the space of the others. */
function Cells({
  fromColumn,
  toColumn,
  columns,
  children,
}: Pick<LineProps, 'fromColumn' | 'toColumn' | 'columns'> & { children: (column: number) => ReactNode }): ReactNode {
  const shown = useMemo(
    () => Array.from({ length: toColumn - fromColumn }, (_, index) => fromColumn + index),
    [fromColumn, toColumn],
  );
  return (
    <>
      {fromColumn > 0 && <td colSpan={fromColumn} aria-hidden="true" />}
      {shown.map(children)}
      {toColumn < columns && <td colSpan={columns - toColumn} aria-hidden="true" />}
    </>
  );
}
