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

/** What is drawn, and a function that scrolls a place into view which may not be drawn yet. */
export type ShownWindow = GridWindow & { scrollToPlace: (line: number, column: number) => void };

/** Of a grid that is drawn whole. Its place is scrolled to by itself, once it is there. */
export function wholeWindow(lines: number, columns: number): ShownWindow {
  return { fromLine: 0, toLine: lines, fromColumn: 0, toColumn: columns, scrollToPlace: () => undefined };
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

export function isLarge(lines: number, columns: number, wholeCells = WHOLE_CELLS): boolean {
  return columns > WHOLE_COLUMNS || lines * columns > wholeCells;
}
