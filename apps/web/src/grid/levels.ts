import type { GridRows, SuiteRows } from './model.js';

/** A line that folds the rows below it: a suite, or a level of the names of its tests. */
export interface Level {
  /** Stands for it in addresses; no comma in it. */
  key: string;
  /** What it adds to the level above. */
  name: string;
  /** 0 = a suite. */
  depth: number;
  /** All rows below it. */
  rows: readonly number[];
}

/** A grid's lines: keys of levels, and rows of tests. */
export interface GridLines {
  lines: (string | number)[];
  levels: ReadonlyMap<string, Level>;
  /** Of each row that is shown: its name below its level, and how deep it stands. */
  tests: ReadonlyMap<number, { name: string; depth: number }>;
}

/**
 * Lines of the suites, their tests as a tree by the parts of their names: neighbours that begin alike stand below a level of
 * their own, one for all the parts that they share. Pure; a level has two rows at least, so there are fewer levels than rows.
 */
export function gridLines(grid: GridRows, suites: readonly SuiteRows[], folded: ReadonlySet<string>): GridLines {
  const lines: GridLines['lines'] = [];
  const levels = new Map<string, Level>();
  const tests = new Map<number, { name: string; depth: number }>();
  const test = ({ rows, depth }: Level, at: number, name: string): void => {
    const row = rows[at];
    if (row === undefined) return;
    lines.push(row);
    tests.set(row, { name, depth });
  };
  const place = (root: string, level: Level, prefix: string): void => {
    levels.set(level.key, level);
    lines.push(level.key);
    if (folded.has(level.key)) return;
    const names = level.rows.map((row) => (grid.rows[row]?.test ?? '').slice(prefix.length));
    for (let at = 0; at < names.length; ) {
      const head = headOf(names[at] ?? '');
      const end = head === '' ? at + 1 : endOfRun(names, at, head);
      const shared = sharedHead(names.slice(at, end), head);
      const key = `${root}/${escaped(prefix + shared)}`;
      // In another order than the suite's the same level may come again: its tests then stand there by their names.
      if (end - at === 1 || levels.has(key)) {
        for (; at < end; at += 1) test(level, at, names[at] ?? '');
        continue;
      }
      const rows = level.rows.slice(at, end);
      place(root, { key, name: shared.slice(0, -1), depth: level.depth + 1, rows }, prefix + shared);
      at = end;
    }
  };
  for (const { suite, rows } of suites) place(escaped(suite), { key: escaped(suite), name: suite, depth: 0, rows }, '');
  return { lines, levels, tests };
}

/** The first part of a name with the slash behind it; empty where there is no other part. */
const headOf = (name: string): string => name.slice(0, name.indexOf('/') + 1);

/** Behind the last of the neighbours that begin like the one at `from`. */
function endOfRun(names: readonly string[], from: number, head: string): number {
  let end = from + 1;
  while (names[end]?.startsWith(head) === true) end += 1;
  return end;
}

/** All the parts that names share which share `head`; the last part of a name is never one of them. */
function sharedHead(names: readonly string[], head: string): string {
  let shared = head;
  for (;;) {
    const next = shared + headOf((names[0] ?? '').slice(shared.length));
    if (next === shared || !names.every((name) => name.startsWith(next))) return shared;
    shared = next;
  }
}

/** Keys are listed with commas between. */
const escaped = (text: string): string => text.replaceAll('%', '%25').replaceAll(',', '%2C');
