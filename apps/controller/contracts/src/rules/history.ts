import type { Combination } from '../schema/combination.js';
import type { HistoryEntry } from '../schema/history.js';
import { isChange } from './change.js';
import { buildOfSide } from './two-sided.js';
import { isConclusive } from './verdict.js';

/** Results of one build's name on one combination, of jobs with several roles those of one role; oldest first. */
export interface HistoryLine {
  /** Of the build, with its side where there are several. */
  name: string;
  entries: HistoryEntry[];
}

export interface HistoryCounts {
  /** All results. */
  n: number;
  /** Those that tell something of the kernel; what the pass rate is taken of. */
  conclusive: number;
  passed: number;
  /** How often the verdict of a line changed (isChange) from the conclusive one before it. */
  changes: number;
  /** Those of `changes` that happened on one and the same kernel (build-id): the mark of a flaky test. */
  changesOnSameKernel: number;
}

export interface CombinationHistory {
  combination: Combination;
  /** By name. */
  lines: HistoryLine[];
  counts: HistoryCounts;
}

/**
 * Entries (newest first) by combination and build name, combinations by label. A change is counted
 * within a build's name only: a base and a series on top of it take turns and may well differ.
 */
export function arrangeHistory(
  entries: readonly HistoryEntry[],
  combinations: readonly Combination[],
): CombinationHistory[] {
  const groups = new Map<string, Map<string, HistoryEntry[]>>();
  for (const entry of entries.toReversed()) {
    const lines = groups.get(entry.combination) ?? new Map<string, HistoryEntry[]>();
    groups.set(entry.combination, lines);
    const name = buildOfSide({ ...entry, build: entry.kernel.name });
    const line = lines.get(name) ?? [];
    lines.set(name, line);
    line.push(entry);
  }
  return combinations
    .toSorted((a, b) => order(a.label, b.label) || order(a.hash, b.hash))
    .flatMap((combination) => {
      const lines = groups.get(combination.hash);
      if (lines === undefined) return [];
      const arranged = [...lines]
        .map(([name, entriesOfLine]) => ({ name, entries: entriesOfLine }))
        .toSorted((a, b) => order(a.name, b.name));
      return [{ combination, lines: arranged, counts: countHistory(arranged) }];
    });
}

function countHistory(lines: readonly HistoryLine[]): HistoryCounts {
  const counts = { n: 0, conclusive: 0, passed: 0, changes: 0, changesOnSameKernel: 0 };
  for (const { entries } of lines) {
    counts.n += entries.length;
    let before: HistoryEntry | null = null;
    for (const entry of entries.filter(({ verdict }) => isConclusive(verdict))) {
      counts.conclusive += 1;
      if (entry.verdict === 'pass') counts.passed += 1;
      if (before !== null && isChange(before.verdict, entry.verdict)) {
        counts.changes += 1;
        const { buildId } = entry.kernel;
        if (buildId !== null && buildId === before.kernel.buildId) counts.changesOnSameKernel += 1;
      }
      before = entry;
    }
  }
  return counts;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
