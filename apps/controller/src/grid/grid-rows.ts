import { GRID_NOTES_MAX, PENDING_LETTER, type Grid } from '@peerlab/contracts';
import type { VerdictLine, VerdictRow } from '../verdicts/packed-verdicts.js';
import { WHOLE_SUITE } from '../verdicts/unreached.js';
import type { PlannedColumn } from './planned-tests.js';

const NEVER_RAN = '.';

/** A row of the grid while its place is not yet known. */
interface Row {
  suite: string;
  test: string;
  /** The first place that any attempt gave it. */
  position: number;
  index: number;
}

/**
 * Rows in the order of the suites, each with the verdicts of all columns, and why something is wrong. Pure.
 * Hundreds of attempts share a list of tests: what depends on the list is worked out once, and an attempt
 * costs one byte for each verdict. A planned test without a result is pending; where only its suite is known, all tests
 * that other columns have of the suite are.
 */
export function arrangeRows(
  columns: readonly { attemptId: string | null }[],
  verdicts: readonly VerdictRow[],
  planned: readonly PlannedColumn[] = [],
): Pick<Grid, 'rows' | 'notes' | 'notesTotal'> {
  const columnOf = columnIndex(columns);
  const shown = verdicts.flatMap((row) => {
    const column = columnOf.get(row.attemptId);
    return column === undefined ? [] : [{ ...row, column }];
  });
  const known = new Set([...shown, ...planned.filter(hasTests)].map(({ suite }) => suite));
  const listed = planned.filter((each) => hasTests(each) || !known.has(each.suite));
  const { rows, rowsOf } = placeRows([...shown, ...listed]);
  const letters = Buffer.alloc(rows.length * columns.length, NEVER_RAN);
  for (const each of planned) {
    const places = listed.includes(each)
      ? rowsOf(each.suite, each.tests)
      : rows.flatMap(({ suite, index }) => (suite === each.suite ? [index] : []));
    for (const place of places) letters[place * columns.length + each.column] = PENDING_LETTER.charCodeAt(0);
  }
  const notes: Grid['notes'] = [];
  for (const { tests, verdicts: packed, reasons, suite, column } of shown) {
    const places = rowsOf(suite, tests);
    for (let place = 0; place < places.length; place += 1) {
      letters[(places[place] ?? 0) * columns.length + column] = packed.charCodeAt(place);
    }
    for (const place of Object.keys(reasons)) {
      notes.push({ row: places[Number(place)] ?? 0, column, reason: reasons[place] ?? '' });
    }
  }
  return {
    rows: rows.map(({ suite, test, index }) => ({
      suite,
      test,
      verdicts: letters.toString('latin1', index * columns.length, (index + 1) * columns.length),
    })),
    ...cutNotes(notes),
  };
}

/** The first GRID_NOTES_MAX notes by row and column, and how many there are when that leaves some out. Pure. */
export function cutNotes(notes: readonly Grid['notes'][number][]): Pick<Grid, 'notes' | 'notesTotal'> {
  const sorted = notes.toSorted((a, b) => a.row - b.row || a.column - b.column);
  if (sorted.length <= GRID_NOTES_MAX) return { notes: sorted };
  return { notes: sorted.slice(0, GRID_NOTES_MAX), notesTotal: sorted.length };
}

/** Whether the tests of a suite are known by name. */
const hasTests = ({ tests }: PlannedColumn): boolean => tests[0] !== WHOLE_SUITE;

/** All rows in the order of the suites, and the numbers of those of a list of tests of a suite. Pure. */
export function placeRows(verdicts: readonly Pick<VerdictLine, 'suite' | 'tests' | 'positions'>[]): {
  rows: readonly Row[];
  rowsOf: (suite: string, tests: readonly string[]) => Uint32Array;
} {
  const byName = new Map<string, Row>();
  // By suite as well: two of them may come with the same list.
  const lists = new Map<string, Map<readonly string[], readonly Row[]>>();
  for (const { suite, tests, positions } of verdicts) {
    const known = lists.get(suite) ?? new Map<readonly string[], readonly Row[]>();
    lists.set(suite, known);
    if (known.has(tests)) continue;
    const rows = tests.map((test, place) => {
      const position = positions[place] ?? 0;
      const key = `${suite}\n${test}`;
      const row = byName.get(key) ?? { suite, test, position, index: 0 };
      byName.set(key, row);
      row.position = Math.min(row.position, position);
      return row;
    });
    known.set(tests, rows);
  }
  const rows = [...byName.values()].toSorted(
    (a, b) => a.position - b.position || compare(a.suite, b.suite) || compare(a.test, b.test),
  );
  for (const [index, row] of rows.entries()) row.index = index;
  const numbers = new Map(
    [...lists].map(([suite, known]) => [
      suite,
      new Map([...known].map(([tests, list]) => [tests, Uint32Array.from(list, ({ index }) => index)])),
    ]),
  );
  return { rows, rowsOf: (suite, tests) => numbers.get(suite)?.get(tests) ?? new Uint32Array() };
}

/** Column of each attempt. */
export function columnIndex(columns: readonly { attemptId: string | null }[]): Map<string, number> {
  return new Map(columns.flatMap(({ attemptId }, index) => (attemptId === null ? [] : [[attemptId, index]])));
}

/** By code points, the same everywhere. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
