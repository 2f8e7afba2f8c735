import { observeElementRect, useVirtualizer, type Range, type Rect, type Virtualizer } from '@tanstack/react-virtual';
import { useCallback, type RefObject } from 'react';
import { REM_PX } from '../ui/root-font.js';

/** Half-open range of the columns that are drawn. */
export interface ColumnWindow {
  fromColumn: number;
  toColumn: number;
}

/** Half-open ranges of the lines and columns that are drawn. */
export interface GridWindow extends ColumnWindow {
  fromLine: number;
  toLine: number;
}

/** Sizes of a dense grid in CSS pixels; GridTable hands them to grid.css, which has the width of a row's header. */
export interface GridSizes {
  lineHeight: number;
  columnWidth: number;
}

/** More columns than this have room for one verdict only, fewer for a number, too. */
export const WIDE_COLUMNS = 24;

/**
 * Lines as low as a line of small text, so that 40 tests fit a laptop's screen; where a finger is the pointer, cells are
 * large enough for it. They grow with the font size of the browser.
 */
export function denseSizes(columns: number, isCoarse: boolean, remPx = REM_PX): GridSizes {
  const isWide = columns <= WIDE_COLUMNS;
  const rems = isCoarse ? { line: 1.75, wide: 4, narrow: 2.125 } : { line: 0.8125, wide: 2.875, narrow: 1.875 };
  // Whole pixels, or the lines of the table would lie between those of the screen.
  return {
    lineHeight: Math.round(rems.line * remPx),
    columnWidth: Math.round((isWide ? rems.wide : rems.narrow) * remPx),
  };
}

/** Whether a finger is the pointer. */
export const isCoarsePointer = (): boolean => matchMedia('(pointer: coarse)').matches;

/** Of a grid with more than this, only the part in view is drawn. */
const WHOLE_COLUMNS = 40;
const WHOLE_CELLS = 20_000;

/** Lines and columns drawn beyond the edges; a window moves in steps of this size. */
const LINES_BEYOND = 8;
const COLUMNS_BEYOND = 6;

export function isLarge(lines: number, columns: number, wholeCells = WHOLE_CELLS): boolean {
  return columns > WHOLE_COLUMNS || lines * columns > wholeCells;
}

/**
 * The indices to draw for a range in view. Both ends move at once and by whole steps: a move of the columns draws every
 * line again, so that it must not happen with every column that comes into view. Pure.
 */
export function stepped({ startIndex, endIndex, overscan: step, count }: Range): number[] {
  const first = Math.floor(startIndex / step);
  const steps = Math.ceil((endIndex - startIndex + 1) / step);
  const from = Math.max(0, (first - 1) * step);
  // One more at the end, since the view may begin in the middle of the first step.
  const to = Math.min(count, (first + steps + 2) * step);
  return Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
}

/** The window of a large grid, and a function that scrolls a place into view which may not be drawn yet. */
export function useGridWindow(
  scroller: RefObject<HTMLElement | null>,
  lines: number,
  columns: number,
  large: boolean,
  { lineHeight, columnWidth }: GridSizes,
): GridWindow & { scrollToPlace: (line: number, column: number) => void } {
  const axis = { getScrollElement: () => scroller.current, rangeExtractor: stepped, enabled: large };
  // oxlint-disable-next-line react/incompatible-library -- it concerns the React Compiler, which does not run here
  const rows = useVirtualizer({
    ...axis,
    count: lines,
    estimateSize: () => lineHeight,
    overscan: LINES_BEYOND,
    observeElementRect: observeUncovered,
  });
  // oxlint-disable-next-line react/incompatible-library -- as above
  const cols = useVirtualizer({
    ...axis,
    horizontal: true,
    count: columns,
    estimateSize: () => columnWidth,
    overscan: COLUMNS_BEYOND,
    observeElementRect: observeUncovered,
  });
  const scrollToPlace = useCallback(
    (line: number, column: number) => {
      rows.scrollToIndex(line);
      if (column > 0) cols.scrollToIndex(column - 1);
    },
    [rows, cols],
  );
  if (!large) return { fromLine: 0, toLine: lines, fromColumn: 0, toColumn: columns, scrollToPlace };
  const [fromLine, toLine] = ends(rows.getVirtualIndexes());
  const [fromColumn, toColumn] = ends(cols.getVirtualIndexes());
  return { fromLine, toLine, fromColumn, toColumn, scrollToPlace };
}

function ends(indices: readonly number[]): [number, number] {
  return [indices[0] ?? 0, (indices.at(-1) ?? -1) + 1];
}

/** The sticky headers cover a part of the element: lines and columns are in view in the rest of it. */
function observeUncovered(
  instance: Virtualizer<HTMLElement, Element>,
  report: (rect: Rect) => void,
): (() => void) | undefined {
  return (
    observeElementRect(instance, ({ width, height }) => {
      const rowHead = instance.scrollElement?.querySelector<HTMLElement>('.corner')?.offsetWidth ?? 0;
      const head = instance.scrollElement?.querySelector('thead')?.offsetHeight ?? 0;
      report({ width: Math.max(0, width - rowHead), height: Math.max(0, height - head) });
    }) ?? undefined
  );
}
