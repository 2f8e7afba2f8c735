import { observeElementRect, useVirtualizer, type Range, type Rect, type Virtualizer } from '@tanstack/react-virtual';
import { useCallback, type RefObject } from 'react';

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

/** Sizes in CSS pixels; grid.css sets the same for a dense grid, and the width of a row's header (--row-head). */
export const DENSE = { lineHeight: 26, columnWidth: 30, headHeight: 232 };

/** A grid with more than this is drawn dense, and only the part in view. */
const ROOMY_COLUMNS = 40;
const ROOMY_CELLS = 20_000;

/** Lines and columns drawn beyond the edges; a window moves in steps of this size. */
const LINES_BEYOND = 8;
const COLUMNS_BEYOND = 6;

export function isDense(lines: number, columns: number, roomyCells = ROOMY_CELLS): boolean {
  return columns > ROOMY_COLUMNS || lines * columns > roomyCells;
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

/** The window of a dense grid, and a function that scrolls a place into view which may not be drawn yet. */
export function useGridWindow(
  scroller: RefObject<HTMLElement | null>,
  lines: number,
  columns: number,
  dense: boolean,
): GridWindow & { scrollToPlace: (line: number, column: number) => void } {
  const axis = { getScrollElement: () => scroller.current, rangeExtractor: stepped, enabled: dense };
  // oxlint-disable-next-line react/incompatible-library -- it concerns the React Compiler, which does not run here
  const rows = useVirtualizer({
    ...axis,
    count: lines,
    estimateSize: () => DENSE.lineHeight,
    overscan: LINES_BEYOND,
    observeElementRect: observeUncovered,
  });
  // oxlint-disable-next-line react/incompatible-library -- as above
  const cols = useVirtualizer({
    ...axis,
    horizontal: true,
    count: columns,
    estimateSize: () => DENSE.columnWidth,
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
  if (!dense) return { fromLine: 0, toLine: lines, fromColumn: 0, toColumn: columns, scrollToPlace };
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
      report({ width: Math.max(0, width - rowHead), height: Math.max(0, height - DENSE.headHeight) });
    }) ?? undefined
  );
}
