import { VERDICT_TABLE, type BuildGrid } from '@peerlab/contracts';
import { NO_RANK, rankOf, verdictOfRank } from '../verdicts/verdict-letters.js';
import { cutNotes, placeRows } from './grid-rows.js';
import type { KernelLine } from './kernel-lines.js';

const NEVER_RAN = '.';

/** Rows in the order of the suites: of every cell the worst verdict, and where combinations disagree. Pure. */
export function foldRows(
  columns: number,
  lines: readonly KernelLine[],
): Pick<BuildGrid, 'rows' | 'differs' | 'notes' | 'notesTotal'> {
  const { rows, rowsOf } = placeRows(lines);
  const ranks = NO_RANK + 1;
  /** How many combinations have each verdict: by row, then column, then rank. */
  const counts = new Uint32Array(rows.length * columns * ranks);
  const notes: BuildGrid['notes'] = [];
  for (const { kernel, suite, tests, verdicts, reasons = {} } of lines) {
    const places = rowsOf(suite, tests);
    const whole = places.length === 0 ? 0 : verdicts.length - (verdicts.length % places.length);
    // Millions of letters: all of a cell, one after the other, so that its counts stay where they are.
    for (let place = 0; place < places.length; place += 1) {
      const cell = ((places[place] ?? 0) * columns + kernel) * ranks;
      for (let at = place; at < whole; at += places.length) {
        const count = cell + rankOf(verdicts.charCodeAt(at));
        counts[count] = (counts[count] ?? 0) + 1;
      }
    }
    for (const place of Object.keys(reasons)) {
      notes.push({ row: places[Number(place)] ?? 0, column: kernel, reason: reasons[place] ?? '' });
    }
  }
  const differs: BuildGrid['differs'] = [];
  const letters = Array.from({ length: rows.length * columns }, (_, cell) => {
    const found = counts.subarray(cell * ranks, (cell + 1) * ranks);
    const worst = found.findIndex((count) => count > 0);
    const total = found.reduce((sum, count) => sum + count, 0);
    const worstCount = found[worst] ?? 0;
    if (worstCount < total) differs.push([Math.floor(cell / columns), cell % columns, worstCount, total]);
    const verdict = verdictOfRank(worst);
    return verdict === undefined ? NEVER_RAN : VERDICT_TABLE[verdict].letter;
  });
  return {
    rows: rows.map(({ suite, test, index }) => ({
      suite,
      test,
      verdicts: letters.slice(index * columns, (index + 1) * columns).join(''),
    })),
    differs,
    ...cutNotes(notes),
  };
}
