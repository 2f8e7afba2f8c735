import type { GridRow } from '@peerlab/contracts';
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  type SyntheticEvent,
} from 'react';
import { useKeys } from '../keys.js';
import type { SuiteRows } from './model.js';
import { moved, type GridPlace } from './moves.js';
import { focusPanel } from './PanelFrame.js';
import type { GridLines } from './levels.js';
import { FramePart, LevelLine, TestLine, type CellLook, type GridFrame } from './rows.js';
import type { GridSizes, ShownWindow } from './window.js';

export interface GridTableProps {
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
  /** Of a grid with more cells, only the part in view is drawn. */
  wholeCells?: number;
  /** Cells with text beside their verdict: wider and higher ones. A large grid has none. */
  isRoomy: boolean;
  /** A column of a roomy grid has room for one verdict only. */
  isNarrow?: boolean;
  renderHead: (frame: GridFrame) => ReactNode;
  renderFoot?: (frame: GridFrame) => ReactNode;
  /** Must keep its identity: every line is drawn again when it changes. */
  renderCell: (row: number, column: number, look: CellLook) => ReactNode;
  /** Shown next to the name of a test. */
  renderRowNote?: (row: number) => ReactNode;
  /** @param level its key */
  onFold: (level: string) => void;
  onOpen: (place: { row: number; column: number } | null) => void;
}

/** What GridTable makes of its properties. */
export interface GridBodyProps extends GridTableProps {
  scroller: RefObject<HTMLDivElement | null>;
  /** The key of a level, or the row of a test. */
  lines: GridLines['lines'];
  levels: GridLines['levels'];
  tests: GridLines['tests'];
  /** Only the part in view is drawn. */
  large: boolean;
  dense: boolean;
  /** A finger is the pointer. */
  isCoarse: boolean;
  sizes: GridSizes;
  shown: ShownWindow;
}

/**
 * Tests × columns. One tab stop: the arrow keys move between cells, Enter opens the evidence of a cell or folds a level;
 * evidence that is open follows. An arrow, j or k leads into the grid when nothing has the focus.
 */
export function GridBody(props: GridBodyProps): ReactNode {
  const { rows: all, columns: lastColumn, starts, open, onFold, onOpen } = props;
  const { scroller, lines, levels, tests, large, dense, isCoarse, sizes, shown } = props;
  /** Line within the table and column; column 0 is the row's header. */
  const [focus, setFocus] = useState<GridPlace>({ line: 0, column: 0 });
  /** An element that gets the focus when it is rendered. */
  const wanted = useRef<GridPlace | null>(null);

  const lineOf = useMemo(() => new Map(lines.map((what, line) => [what, line])), [lines]);
  const lastLine = lines.length - 1;
  const focused = { line: Math.min(focus.line, Math.max(0, lastLine)), column: Math.min(focus.column, lastColumn) };
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
  }, [scroller, openLine, openColumn, scrollToPlace]);
  useLayoutEffect(() => {
    const place = wanted.current;
    if (place === null) return;
    const cell = cellElement(scroller.current, place.line, place.column);
    if (cell === null) return;
    wanted.current = null;
    cell.focus({ preventScroll: true });
    // Within the sticky headers, which the scroll padding leaves out; a large grid was scrolled before it was drawn.
    if (!large) cell.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  });

  const activate = (line: number, column: number): void => {
    const what = lines[line];
    if (typeof what === 'string') onFold(what);
    else if (what !== undefined && column > 0) {
      if (line === openLine && column === openColumn) focusPanel();
      else onOpen({ row: what, column: column - 1 });
    }
  };
  const goTo = (target: GridPlace): void => {
    wanted.current = target;
    setFocus(target);
    if (large) scrollToPlace(target.line, target.column);
    const row = lines[target.line];
    if (open !== null && typeof row === 'number' && target.column > 0) onOpen({ row, column: target.column - 1 });
  };
  /** Into the grid by a key on a page where nothing has the focus: to the first cell, or on from the last place. */
  const enter = (event: globalThis.KeyboardEvent): boolean => {
    if (lines.length === 0 || !hasNoFocus()) return false;
    const isFresh = focused.line === 0 && focused.column === 0;
    const first = { line: Math.min(1, lastLine), column: Math.min(1, lastColumn) };
    goTo(isFresh ? first : (moved(event, focused, lastLine, lastColumn) ?? focused));
    return true;
  };
  useKeys({ gridMove: enter, listNext: enter, listPrevious: enter });
  const move = (event: KeyboardEvent<HTMLTableElement>): void => {
    const at = placeOf(event.target);
    if (at === null) return;
    const target = moved(event, at, lastLine, lastColumn);
    if (target !== null) {
      event.preventDefault();
      goTo(target);
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
    <>
      {lines.length * lastColumn > PRINTED_CELLS && (
        <p className="paper-only">The part of the grid that was in view; filter the tests to print all of them.</p>
      )}
      <div
        className={`grid-scroll${dense ? ' grid-scroll-dense' : ''}${isCoarse ? ' grid-scroll-coarse' : ''}`}
        ref={scroller}
        style={dense ? sizeVariables(sizes) : undefined}
        {...(isTabStopDrawn
          ? {}
          : {
              tabIndex: 0,
              onFocus: () => {
                wanted.current = focused;
                if (large) scrollToPlace(focused.line, focused.column);
              },
            })}
      >
        <table
          role="grid"
          aria-label={props.label}
          aria-rowcount={lines.length}
          aria-colcount={lastColumn + 1}
          className={dense ? 'grid grid-dense' : 'grid'}
          style={dense ? { width: `calc(var(--row-head) + ${lastColumn * sizes.columnWidth}px)` } : undefined}
          onKeyDown={move}
          onFocus={followFocus}
          onClick={click}
        >
          {dense && (
            <colgroup>
              <col style={{ width: 'var(--row-head)' }} />
              <col span={lastColumn} style={{ width: sizes.columnWidth }} />
            </colgroup>
          )}
          <FramePart render={props.renderHead} dense={dense} shown={columnsShown} />
          <tbody>
            <Gap px={shown.fromLine * sizes.lineHeight} columns={lastColumn} />
            {lines.slice(shown.fromLine, shown.toLine).map((what, index) => {
              const line = shown.fromLine + index;
              const focusedHere = line === focused.line ? focused.column : -1;
              const common = { line, fromColumn, toColumn, columns: lastColumn, focused: focusedHere, starts, dense };
              if (typeof what === 'string') {
                const level = levels.get(what);
                return (
                  <LevelLine
                    key={what}
                    {...common}
                    grid={grid}
                    name={level?.name ?? what}
                    depth={level?.depth ?? 0}
                    rows={level?.rows ?? NO_ROWS}
                    isFolded={props.folded.has(what)}
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
                  name={tests.get(what)?.name ?? ''}
                  depth={tests.get(what)?.depth ?? 0}
                  openColumn={open?.row === what ? open.column : -1}
                  renderCell={props.renderCell}
                  renderRowNote={props.renderRowNote}
                />
              );
            })}
            <Gap px={(lines.length - shown.toLine) * sizes.lineHeight} columns={lastColumn} />
          </tbody>
          {props.renderFoot !== undefined && <FramePart render={props.renderFoot} dense={dense} shown={columnsShown} />}
        </table>
      </div>
    </>
  );
}

/** Of a larger grid only the part in view is printed, as the browser could not draw all of it at once. */
export const PRINTED_CELLS = 200_000;

const NO_ROWS: readonly number[] = [];

/** The space of lines that are not drawn. */
function Gap({ px, columns }: { px: number; columns: number }): ReactNode {
  if (px <= 0) return null;
  return (
    <tr aria-hidden="true" className="gap">
      <td colSpan={columns + 1} style={{ height: px }} />
    </tr>
  );
}

const sizeVariables = ({ lineHeight, columnWidth }: GridSizes): CSSProperties =>
  ({ '--grid-line': `${lineHeight}px`, '--grid-column': `${columnWidth}px` }) as CSSProperties;

/** Whether the person has not chosen anything on the page by keyboard or pointer. */
function hasNoFocus(): boolean {
  const { activeElement } = document;
  return activeElement === null || activeElement === document.body || activeElement.id === 'main';
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
