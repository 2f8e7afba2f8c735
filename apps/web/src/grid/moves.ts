/** A place for the keyboard in the grid: a line of the table and a column; column 0 is the line's header. */
export interface GridPlace {
  line: number;
  column: number;
}

/** The part of a keyboard event that matters here. */
type Stroke = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey'>;

/** Lines that Page Up and Page Down pass. */
const PAGE_LINES = 20;

/** `j` and `k` as in lists. With Ctrl they belong to the browser or the palette. */
const LETTERS: Readonly<Record<string, string>> = { j: 'ArrowDown', k: 'ArrowUp' };

/** The place to which a key moves the focus; null for any other key. Pure. */
export function moved(stroke: Stroke, at: GridPlace, lastLine: number, lastColumn: number): GridPlace | null {
  const far = stroke.ctrlKey || stroke.metaKey;
  switch (far ? stroke.key : (LETTERS[stroke.key] ?? stroke.key)) {
    case 'ArrowRight':
      return { ...at, column: far ? lastColumn : Math.min(lastColumn, at.column + 1) };
    case 'ArrowLeft':
      return { ...at, column: far ? 0 : Math.max(0, at.column - 1) };
    case 'ArrowDown':
      return { ...at, line: far ? lastLine : Math.min(lastLine, at.line + 1) };
    case 'ArrowUp':
      return { ...at, line: far ? 0 : Math.max(0, at.line - 1) };
    case 'PageDown':
      return { ...at, line: Math.min(lastLine, at.line + PAGE_LINES) };
    case 'PageUp':
      return { ...at, line: Math.max(0, at.line - PAGE_LINES) };
    case 'Home':
      return { line: far ? 0 : at.line, column: 0 };
    case 'End':
      return { line: far ? lastLine : at.line, column: lastColumn };
    default:
      return null;
  }
}
