import { z } from 'zod';
import { Combination } from './combination.js';
import { Name, Sha256, SuiteName } from './ids.js';
import { BuiltGit } from './kernel-source.js';
import { EvidenceLines } from './results.js';
import { TestedSide } from './tested-role.js';
import { timeCursor } from './time-cursor.js';
import { Verdict } from './verdict.js';

/** A kernel as a run named it and as its bundle says it is; null where it was never built. */
export const TestedKernel = z.object({
  /** Of the build. */
  id: z.uuid(),
  name: Name,
  release: z.string().nullable(),
  buildId: z.string().nullable(),
  /** Null where it is not of a git repository. */
  git: BuiltGit.nullable().default(null),
});
export type TestedKernel = z.infer<typeof TestedKernel>;

/** Where a page of history ends: `time~attempt`. */
export const HistoryCursor = timeCursor(z.uuid());

export const HistoryQuery = z.object({
  suite: SuiteName,
  test: z.string().min(1).max(200),
  combination: Sha256.optional(),
  /** Name of a build, as runs call it. */
  build: Name.optional(),
  before: HistoryCursor.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});

/** One result of the test, with the kernel of the machine that reported it. */
export const HistoryEntry = TestedSide.extend({
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
