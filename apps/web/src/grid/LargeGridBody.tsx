import { observeElementRect, useVirtualizer, type Range, type Rect, type Virtualizer } from '@tanstack/react-virtual';
import { useCallback, type ReactNode, type RefObject } from 'react';
import { GridBody, type GridBodyProps } from './GridBody.js';
import { wholeWindow, type GridSizes, type ShownWindow } from './window.js';

/** The lines of a grid of which only the part in view is drawn. Fetched when there is one, as most grids are small. */
export function LargeGridBody(props: Omit<GridBodyProps, 'shown'>): ReactNode {
  const { scroller, lines, columns, large, sizes } = props;
  return <GridBody {...props} shown={useGridWindow(scroller, lines.length, columns, large, sizes)} />;
}

/** Lines and columns drawn beyond the edges; a window moves in steps of this size. */
const LINES_BEYOND = 8;
const COLUMNS_BEYOND = 6;

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

/** `large`: now; the whole grid while it is not, as when it is printed. */
function useGridWindow(
  scroller: RefObject<HTMLElement | null>,
  lines: number,
  columns: number,
  large: boolean,
  { lineHeight, columnWidth }: GridSizes,
): ShownWindow {
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
  if (!large) return { ...wholeWindow(lines, columns), scrollToPlace };
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
