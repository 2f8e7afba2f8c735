import { COUNTED_FILES_MAX, COUNTED_LINES_MAX, type LineCounts, parsePatch } from '@peerlab/contracts';
import { GcovError } from './gcov-bytes.js';
import { readCounters } from './gcov-counters.js';
import { readNotes } from './gcov-notes.js';
import { addLinesRun, type LinesRun } from './lines-run.js';

/** Files of the kernel's counters, by their names in its debugfs: the path of the object where it was built, `.gcda` at the end. */
export type CounterFiles = ReadonlyMap<string, Buffer>;

/**
 * Which of the lines that a series adds ran.
 * @param diff the series as one diff
 * @param notes of gcc, by the names of their files in the tree (`mm/hmm.gcno`)
 * @throws GcovError when one of the files is not what it should be: a part of the lines would look as if they had not run
 */
export function countSeries(diff: string, notes: ReadonlyMap<string, Buffer>, counters: CounterFiles): LineCounts {
  const lines: LinesRun = new Map();
  for (const [name, bytes] of notes) {
    try {
      const noted = readNotes(bytes);
      const counted = countersOf(name, counters);
      addLinesRun(lines, noted, counted === null ? null : readCounters(counted));
    } catch (error) {
      throw error instanceof GcovError ? new GcovError(`${name}: ${error.message}`) : error;
    }
  }
  const built = new Set([...notes.keys()].map((name) => name.replace(/\.gcno$/, '.c')));
  const files: LineCounts['files'] = [];
  let total = 0;
  for (const [path, added] of addedLines(diff)) {
    const of = lines.get(path);
    // A header is built where a file that includes it is.
    if (of === undefined && !built.has(path)) continue;
    const code = added.filter((line) => of?.has(line));
    total += code.length;
    if (files.length === COUNTED_FILES_MAX || total > COUNTED_LINES_MAX) throw new GcovError('the series is too large');
    files.push({ path, ran: code.filter((line) => of?.get(line)), missed: code.filter((line) => !of?.get(line)) });
  }
  return { schema: 1, files };
}

/** null: the kernel has none, as of a module that was never loaded. The longest name decides nothing: two of one object are an error. */
function countersOf(notes: string, counters: CounterFiles): Buffer | null {
  const wanted = `/${notes.replace(/\.gcno$/, '.gcda')}`;
  const found = [...counters].filter(([name]) => `/${name}`.endsWith(wanted));
  if (found.length > 1) throw new GcovError('the kernel has counters of two objects with this name');
  return found[0]?.[1] ?? null;
}

/** Numbers of the lines that a diff adds, in the files as they are afterwards. */
function addedLines(diff: string): Map<string, number[]> {
  const added = new Map<string, number[]>();
  for (const { path, hunks } of parsePatch(diff).files) {
    const lines = added.get(path) ?? [];
    added.set(path, lines);
    for (const hunk of hunks) {
      let line = hunk.newStart;
      for (const { kind } of hunk.lines) {
        if (kind === '+') lines.push(line);
        if (kind === '+' || kind === ' ') line += 1;
      }
    }
  }
  return added;
}
