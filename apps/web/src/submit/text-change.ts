/** A replacement of `from` to `to` by `insert`, in characters. */
export interface TextChange {
  from: number;
  to: number;
  insert: string;
}

/** The one range that differs between two texts, so that the cursor and the undo history survive; null when equal. */
export function changeBetween(before: string, after: string): TextChange | null {
  if (before === after) return null;
  const shorter = Math.min(before.length, after.length);
  let from = 0;
  while (from < shorter && before[from] === after[from]) from += 1;
  let same = 0;
  while (same < shorter - from && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  return { from, to: before.length - same, insert: after.slice(from, after.length - same) };
}

/** Longest line that is read as a key or an item, in characters. */
const LINE_MAX = 1000;

/**
 * Indentation of the line after `line`, in spaces: that of the key after a dash, deeper after a key without a value,
 * else the same.
 */
export function nextIndent(line: string): number {
  // A long line is text: no key or item is looked for in it.
  if (line.length > LINE_MAX) return line.length - line.trimStart().length;
  const [, spaces = '', dashes = '', rest = ''] = /^( *)((?:- +)*)(.*)$/.exec(line) ?? [];
  const isKey = /^[^#\s][^#]*?:(?:\s|$)/.test(rest);
  const column = spaces.length + (isKey ? dashes.length : 0);
  return column + (/:\s*$/.test(rest) && isKey ? 2 : 0);
}
