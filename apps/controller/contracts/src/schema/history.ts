import { z } from 'zod';
import { isConclusive } from '../rules/verdict.js';
import { Name, Sequence, Sha256 } from './ids.js';
import { LogStream } from './logs.js';
import { timeCursor } from './time-cursor.js';
import { Verdict } from './verdict.js';
import { Combination } from './views.js';

/** Where the evidence of a result stands in its attempt's log, both ends included; null = it has no lines. */
export const EvidenceLines = z.object({ stream: LogStream, fromSeq: Sequence, toSeq: Sequence }).nullable();

/** A kernel as a run named it and as its bundle says it is; null where it was never built. */
export const TestedKernel = z.object({
  /** Of the build. */
  id: z.uuid(),
  name: Name,
  release: z.string().nullable(),
  buildId: z.string().nullable(),
});
export type TestedKernel = z.infer<typeof TestedKernel>;

/** Where a page of history ends: `time~attempt`. */
export const HistoryCursor = timeCursor(z.uuid());

export const HistoryQuery = z.object({
  suite: Name,
  test: z.string().min(1).max(200),
  combination: Sha256.optional(),
  /** Name of a build, as runs call it. */
  build: Name.optional(),
  before: HistoryCursor.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});

/** One result of the test. */
export const HistoryEntry = z.object({
  attemptId: z.uuid(),
  verdict: Verdict,
  reason: z.string().nullable(),
  durationMs: z.number().nullable(),
  log: EvidenceLines,
  at: z.iso.datetime(),
  run: z.object({ id: z.uuid(), name: z.string() }),
  kernel: TestedKernel,
  machine: Name.nullable(),
  /** Hash of one of the answer's combinations. */
  combination: Sha256,
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

/** What one test said, newest first. */
export const TestHistory = z.object({
  entries: z.array(HistoryEntry),
  combinations: z.array(Combination),
  /** `before` of the next page; null = there is nothing older. */
  next: z.string().nullable(),
});
export type TestHistory = z.infer<typeof TestHistory>;

/** Results of one build's name on one combination, oldest first. */
export interface HistoryLine {
  build: string;
  entries: HistoryEntry[];
}

export interface HistoryCounts {
  /** All results. */
  n: number;
  /** Those that tell something of the kernel; what the pass rate is taken of. */
  conclusive: number;
  passed: number;
  /** How often the verdict of a line differs from the conclusive one before it. */
  changes: number;
  /** Those of `changes` that happened on one and the same kernel (build-id): the mark of a flaky test. */
  changesOnSameKernel: number;
}

export interface CombinationHistory {
  combination: Combination;
  /** By name of the build. */
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
    const line = lines.get(entry.kernel.name) ?? [];
    lines.set(entry.kernel.name, line);
    line.push(entry);
  }
  return combinations
    .toSorted((a, b) => order(a.label, b.label) || order(a.hash, b.hash))
    .flatMap((combination) => {
      const lines = groups.get(combination.hash);
      if (lines === undefined) return [];
      const arranged = [...lines]
        .map(([build, entriesOfLine]) => ({ build, entries: entriesOfLine }))
        .toSorted((a, b) => order(a.build, b.build));
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
      if (before !== null && before.verdict !== entry.verdict) {
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
