import type { GcovCounters } from './gcov-counters.js';
import { GcovError } from './gcov-bytes.js';
import type { GcovNotes } from './gcov-notes.js';
import { blockCounts } from './flow-graph.js';

/** By file, relative to the tree: its lines that have code, and whether any of that ran. */
export type LinesRun = Map<string, Map<number, boolean>>;

/**
 * Adds to `into` which lines of an object's source ran.
 * @param counters null = its code was never loaded, so nothing of it ran
 * @throws GcovError where the counters are of another compilation
 */
export function addLinesRun(into: LinesRun, notes: GcovNotes, counters: GcovCounters | null): void {
  if (counters !== null && counters.stamp !== notes.stamp) {
    throw new GcovError('its counters are of another compilation than its notes');
  }
  for (const noted of notes.functions) {
    const counted = counters?.functions.get(noted.ident);
    // A function that the linker took from another object has no counters here.
    const blocks = counted === undefined ? null : blockCounts(noted, counted.counts);
    if (
      counted !== undefined &&
      (blocks === null || counted.lineChecksum !== noted.lineChecksum || counted.flowChecksum !== noted.flowChecksum)
    )
      throw new GcovError('the counters of a function are not those of its notes');
    for (const { block, file, line } of noted.lines) {
      const name = nameInTree(file, notes.folder);
      const lines = into.get(name) ?? new Map<number, boolean>();
      into.set(name, lines);
      lines.set(line, (lines.get(line) ?? false) || (blocks?.[block] ?? 0n) > 0n);
    }
  }
}

/** A name as a patch has it: below the folder that the compiler ran in, without `./`. */
function nameInTree(file: string, folder: string): string {
  const name = file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
  return name.startsWith('./') ? name.slice(2) : name;
}
