import { useCallback, useMemo, useSyncExternalStore, type RefObject } from 'react';

/** Half-open range of the columns that are drawn. */
export interface ColumnWindow {
  fromColumn: number;
  toColumn: number;
}

/** The same, and the lines. */
export interface GridWindow extends ColumnWindow {
  fromLine: number;
  toLine: number;
}

/** Sizes in CSS pixels; grid.css sets the same for a dense grid, and the width of a row's header (--row-head). */
export const DENSE = { lineHeight: 26, columnWidth: 30, headHeight: 232 };

/** A grid with more than this is drawn dense, and only as far as it is seen. */
const ROOMY_COLUMNS = 40;
const ROOMY_CELLS = 20_000;

/** Drawn beyond the edge, and the steps in which a window moves: not every pixel is worth a drawing. */
const LINES_BEYOND = 8;
const COLUMNS_BEYOND = 6;

export function isDense(lines: number, columns: number, roomyCells = ROOMY_CELLS): boolean {
  return columns > ROOMY_COLUMNS || lines * columns > roomyCells;
}

/**
 * Which part of `count` pieces of `size` pixels is seen from `start` on, with some more around. Both ends move in
 * the same moment: each move is a drawing. Pure.
 */
export function seen(start: number, length: number, size: number, count: number, beyond: number): [number, number] {
  const step = Math.floor(start / size / beyond);
  const steps = Math.ceil(length / size / beyond);
  const within = (place: number): number => Math.max(0, Math.min(count, place * beyond));
  // One more at the end, as the first step seen is seen in part.
  return [within(step - 1), within(step + steps + 2)];
}

/** Follows the scrolling of a dense grid; a roomy one is drawn whole. */
export function useGridWindow(
  scroller: RefObject<HTMLElement | null>,
  lines: number,
  columns: number,
  dense: boolean,
): GridWindow {
  const subscribe = useCallback(
    (look: () => void): (() => void) => {
      const element = scroller.current;
      if (element === null || !dense) return () => undefined;
      element.addEventListener('scroll', look, { passive: true });
      const observer = new ResizeObserver(look);
      observer.observe(element);
      return () => {
        element.removeEventListener('scroll', look);
        observer.disconnect();
      };
    },
    [scroller, dense],
  );
  // A text, so that what is the same compares as the same.
  const look = useCallback((): string => {
    if (scroller.current === null || !dense) return '';
    const { scrollTop, scrollLeft, clientHeight, clientWidth } = scroller.current;
    const shown = seen(scrollTop, clientHeight, DENSE.lineHeight, lines, LINES_BEYOND);
    return [...shown, ...seen(scrollLeft, clientWidth, DENSE.columnWidth, columns, COLUMNS_BEYOND)].join();
  }, [scroller, dense, lines, columns]);
  const range = useSyncExternalStore(subscribe, look);
  return useMemo(() => {
    if (!dense) return { fromLine: 0, toLine: lines, fromColumn: 0, toColumn: columns };
    const [fromLine = 0, toLine = Math.min(lines, 60), fromColumn = 0, toColumn = Math.min(columns, 60)] =
      range === '' ? [] : range.split(',').map(Number);
    return { fromLine, toLine, fromColumn, toColumn };
  }, [dense, lines, columns, range]);
}

/** Scrolls a dense grid so that a place that may not be drawn yet comes into view. */
export function scrollToPlace(scroller: HTMLElement, line: number, column: number): void {
  const { lineHeight, columnWidth, headHeight } = DENSE;
  const rowHeadWidth = scroller.querySelector<HTMLElement>('.corner')?.offsetWidth ?? 0;
  const top = line * lineHeight;
  const roomY = scroller.clientHeight - headHeight - lineHeight;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top > scroller.scrollTop + roomY) scroller.scrollTop = top - roomY;
  if (column === 0) return;
  const left = (column - 1) * columnWidth;
  const roomX = scroller.clientWidth - rowHeadWidth - columnWidth;
  if (left < scroller.scrollLeft) scroller.scrollLeft = left;
  else if (left > scroller.scrollLeft + roomX) scroller.scrollLeft = left - roomX;
}
