import type { GridRow } from '@peerlab/contracts';
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
  type SyntheticEvent,
} from 'react';
import type { SuiteRows } from './model.js';
import { moved, type GridPlace } from './moves.js';
import { FramePart, SuiteLine, TestLine, type CellLook, type GridFrame } from './rows.js';
import { DENSE, isDense, useGridWindow } from './window.js';

interface GridTableProps {
  label: string;
  rows: readonly GridRow[];
  /** The rows that are shown, by suite, in the order shown. */
  suites: readonly SuiteRows[];
  /** How many there are. */
  columns: number;
  /** Columns that open a group. */
  starts: ReadonlySet<number>;
  folded: ReadonlySet<string>;
  open: { row: number; column: number } | null;
  /** A grid with more cells is drawn dense. */
  roomyCells?: number;
  /** A column has room for one verdict only. */
  isNarrow?: boolean;
  renderHead: (frame: GridFrame) => ReactNode;
  renderFoot?: (frame: GridFrame) => ReactNode;
  /** Must keep its identity: every line is drawn again when it changes. */
  renderCell: (row: number, column: number, look: CellLook) => ReactNode;
  /** Shown next to the name of a test. */
  renderRowNote?: (row: number) => ReactNode;
  onFold: (suite: string) => void;
  onOpen: (place: { row: number; column: number } | null) => void;
}

/**
 * Tests × columns. One tab stop: the arrow keys move between cells, Enter opens the evidence of a cell or
 * folds a suite. A large grid is dense, and only the part in view is drawn.
 */
export function GridTable(props: GridTableProps): ReactNode {
  const { rows: all, suites, columns: lastColumn, starts, folded, open, onFold, onOpen } = props;
  const scroller = useRef<HTMLDivElement>(null);
  /** Line within the table and column; column 0 is the row's header. */
  const [focus, setFocus] = useState<GridPlace>({ line: 0, column: 0 });
  /** An element that gets the focus when it is rendered. */
  const wanted = useRef<GridPlace | null>(null);

  const lines = useMemo(
    () => suites.flatMap(({ suite, rows }) => [suite, ...(folded.has(suite) ? [] : rows)]),
    [suites, folded],
  );
  const lineOf = useMemo(() => new Map(lines.map((what, line) => [what, line])), [lines]);
  const rowsOf = useMemo(() => new Map(suites.map(({ suite, rows }) => [suite, rows])), [suites]);
  const lastLine = lines.length - 1;
  const focused = { line: Math.min(focus.line, Math.max(0, lastLine)), column: Math.min(focus.column, lastColumn) };
  const dense = isDense(lines.length, lastColumn, props.roomyCells);
  const shown = useGridWindow(scroller, lines.length, lastColumn, dense);
  const { fromColumn, toColumn, scrollToPlace } = shown;

  const openLine = open === null ? -1 : (lineOf.get(open.row) ?? -1);
  const openColumn = open === null ? -1 : open.column + 1;
  const [followed, setFollowed] = useState('');
  const openPlace = `${openLine}:${openColumn}`;
  if (openLine >= 0 && followed !== openPlace) {
    // A link to a cell makes that cell the tab stop.
    setFollowed(openPlace);
    setFocus({ line: openLine, column: openColumn });
  }
  useEffect(() => {
    if (openLine < 0 || scroller.current === null) return;
    const cell = cellElement(scroller.current, openLine, openColumn);
    if (cell !== null) cell.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    else scrollToPlace(openLine, openColumn);
  }, [openLine, openColumn, scrollToPlace]);
  useLayoutEffect(() => {
    const place = wanted.current;
    if (place === null) return;
    const cell = cellElement(scroller.current, place.line, place.column);
    if (cell === null) return;
    wanted.current = null;
    cell.focus({ preventScroll: dense });
  });

  const activate = (line: number, column: number): void => {
    const what = lines[line];
    if (typeof what === 'string') onFold(what);
    else if (what !== undefined && column > 0) onOpen({ row: what, column: column - 1 });
  };
  const move = (event: KeyboardEvent<HTMLTableElement>): void => {
    const at = placeOf(event.target);
    if (at === null) return;
    const target = moved(event, at, lastLine, lastColumn);
    if (target !== null) {
      event.preventDefault();
      wanted.current = target;
      setFocus(target);
      if (dense) scrollToPlace(target.line, target.column);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      activate(at.line, at.column);
    } else if (event.key === 'Escape' && open !== null) {
      event.preventDefault();
      onOpen(null);
    }
  };
  const followFocus = (event: SyntheticEvent): void => {
    const at = placeOf(event.target);
    if (at !== null && (at.line !== focus.line || at.column !== focus.column)) setFocus(at);
  };
  const click = (event: SyntheticEvent): void => {
    const at = placeOf(event.target);
    if (at !== null) activate(at.line, at.column);
  };
  const grid = useMemo(() => ({ rows: all }), [all]);
  // Keeps its identity while only lines change, so that header and footer are not drawn again.
  const columnsShown = useMemo(() => ({ fromColumn, toColumn }), [fromColumn, toColumn]);
  // The tab stop must exist even when it is scrolled out of view.
  const isTabStopDrawn =
    focused.line >= shown.fromLine &&
    focused.line < shown.toLine &&
    (focused.column === 0 || (focused.column > shown.fromColumn && focused.column <= shown.toColumn));

  return (
    <div
      className="grid-scroll"
      ref={scroller}
      {...(isTabStopDrawn
        ? {}
        : {
            tabIndex: 0,
            onFocus: () => {
              wanted.current = focused;
              if (dense) scrollToPlace(focused.line, focused.column);
            },
          })}
    >
      <table
        role="grid"
        aria-label={props.label}
        aria-rowcount={lines.length}
        aria-colcount={lastColumn + 1}
        className={dense ? 'grid grid-dense' : 'grid'}
        style={dense ? { width: `calc(var(--row-head) + ${lastColumn * DENSE.columnWidth}px)` } : undefined}
        onKeyDown={move}
        onFocus={followFocus}
        onClick={click}
      >
        {dense && (
          <colgroup>
            <col style={{ width: 'var(--row-head)' }} />
            <col span={lastColumn} style={{ width: DENSE.columnWidth }} />
          </colgroup>
        )}
        <FramePart render={props.renderHead} dense={dense} shown={columnsShown} />
        <tbody>
          <Gap lines={shown.fromLine} columns={lastColumn} />
          {lines.slice(shown.fromLine, shown.toLine).map((what, index) => {
            const line = shown.fromLine + index;
            const focusedHere = line === focused.line ? focused.column : -1;
            const common = { line, fromColumn, toColumn, columns: lastColumn, focused: focusedHere, starts, dense };
            if (typeof what === 'string') {
              return (
                <SuiteLine
                  key={what}
                  {...common}
                  grid={grid}
                  suite={what}
                  rows={rowsOf.get(what) ?? NO_ROWS}
                  isFolded={folded.has(what)}
                  isNarrow={props.isNarrow === true}
                />
              );
            }
            return (
              <TestLine
                key={what}
                {...common}
                row={what}
                test={all[what]?.test ?? ''}
                openColumn={open?.row === what ? open.column : -1}
                renderCell={props.renderCell}
                renderRowNote={props.renderRowNote}
              />
            );
          })}
          <Gap lines={lines.length - shown.toLine} columns={lastColumn} />
        </tbody>
        {props.renderFoot !== undefined && <FramePart render={props.renderFoot} dense={dense} shown={columnsShown} />}
      </table>
    </div>
  );
}

const NO_ROWS: readonly number[] = [];

/** The space of lines that are not drawn. */
function Gap({ lines, columns }: { lines: number; columns: number }): ReactNode {
  if (lines <= 0) return null;
  return (
    <tr aria-hidden="true" className="gap">
      <td colSpan={columns + 1} style={{ height: lines * DENSE.lineHeight }} />
    </tr>
  );
}

function cellElement(within: HTMLElement | null, line: number, column: number): HTMLElement | null {
  return within?.querySelector<HTMLElement>(`[data-line="${line}"][data-column="${column}"]`) ?? null;
}

/** The cell of an event; null for links and everything outside the cells. */
function placeOf(target: EventTarget): GridPlace | null {
  if (!(target instanceof Element)) return null;
  const cell = target.closest<HTMLElement>('a, [data-line]');
  const { line, column } = cell?.dataset ?? {};
  return line === undefined || column === undefined ? null : { line: Number(line), column: Number(column) };
}
