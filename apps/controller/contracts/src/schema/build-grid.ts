import { z } from 'zod';
import { Combination } from './combination.js';
import { GridRow } from './grid.js';
import { Name, Sha256, SuiteName } from './ids.js';
import { BuiltGit } from './kernel-source.js';
import { KernelCursor, KernelsBeyond } from './kernel-pages.js';
import { EvidenceLines } from './results.js';
import { Verdict } from './verdict.js';

/** Hash of a hardware combination, or `all` of them folded into one verdict per test and kernel. */
export const CombinationChoice = z.union([z.literal('all'), Sha256]);
export type CombinationChoice = z.infer<typeof CombinationChoice>;

export const BuildGridQuery = z.object({
  /** Absent: the combination with the newest result. */
  combination: CombinationChoice.optional(),
  /** Absent: the newest kernels. */
  before: KernelCursor.optional(),
});

/** Newest attempts of a kernel on one combination that a cell sums up; of a kernel on all combinations together. */
export const KERNEL_ATTEMPTS = 3;
export const KERNEL_ATTEMPTS_ALL = 400;

/** A kernel: all builds that became the same bundle are one. */
export const KernelColumn = z.object({
  /** Content key of the bundle. */
  key: Sha256,
  /** The newest of its builds that was tested here, and the run that asked for it. */
  build: z.object({ id: z.uuid(), name: Name }),
  run: z.object({ id: z.uuid(), name: z.string() }),
  release: z.string(),
  /** Of the kernel that it was built from. */
  baseVersion: z.string(),
  buildId: z.string(),
  /** Of the build that is named; null where it is not of a git repository. */
  git: BuiltGit.nullable().default(null),
  /** How many patches stand on the base. */
  patches: z.number().int().nonnegative(),
  features: z.array(z.string()),
  config: Name,
  /** When its bundle was stored first. */
  builtAt: z.iso.datetime(),
  /** When its newest result that is shown was stored; null while its results are not summed up yet. */
  testedAt: z.iso.datetime().nullable(),
  /** On how many combinations it was tested, of those that were asked for. */
  combinations: z.number().int().positive(),
  /** There are older attempts than KERNEL_ATTEMPTS on one combination, or more than KERNEL_ATTEMPTS_ALL. */
  isCut: z.boolean().default(false),
});
export type KernelColumn = z.infer<typeof KernelColumn>;

/**
 * Results by test (rows) and kernel (columns), a page of at most KERNELS_MAX kernels. Columns: builds of one name
 * are neighbours, the group with the newest kernel first, in a group the newest first. A cell is the newest result
 * of the test on that kernel, or `flaky` or `crash` where its newest attempts contradict each other
 * (verdictOfRepeats); with all combinations, the worst of theirs.
 */
export const BuildGrid = z.object({
  /** What is shown; null = all combinations. */
  combination: Combination.nullable(),
  /** Those that have results, by label. */
  combinations: z.array(Combination),
  columns: z.array(KernelColumn),
  older: KernelsBeyond,
  newer: KernelsBeyond,
  rows: z.array(GridRow),
  /** Cells whose combinations disagree: row, column, how many say the worst, of how many. */
  differs: z.array(z.tuple([z.number().int(), z.number().int(), z.number().int(), z.number().int()])),
  /** Why, of cells that say that something is wrong, on one combination; the first GRID_NOTES_MAX of them. */
  notes: z.array(z.object({ row: z.number().int(), column: z.number().int(), reason: z.string() })),
  /** How many such cells there are; absent = `notes` has all. */
  notesTotal: z.number().int().optional(),
  /**
   * Ended attempts whose results are missing here because they are not summed up yet. The controller sums them up in
   * the background and then announces a change of the topic `grid`; asking again earlier shows nothing new.
   */
  pending: z.number().int().nonnegative(),
  generatedAt: z.iso.datetime(),
});
export type BuildGrid = z.infer<typeof BuildGrid>;

export const KernelResultsQuery = z.object({ suite: SuiteName, test: z.string().min(1).max(200) });

/** What a test says on one kernel and one combination, as its cell shows it; the evidence is of the attempt that is named. */
export const KernelResult = z.object({
  combination: Combination,
  verdict: Verdict,
  reason: z.string().nullable(),
  log: EvidenceLines,
  attemptId: z.uuid(),
  machine: Name.nullable(),
  run: z.object({ id: z.uuid(), name: z.string() }),
  at: z.iso.datetime(),
});
export type KernelResult = z.infer<typeof KernelResult>;

/** Attempts of each combination and build name whose verdicts count for flakiness: the newest ones. */
export const FLAKINESS_WINDOW = 20;

export const FlakinessQuery = z.object({
  /** Absent: all. */
  combination: Sha256.optional(),
});

/** How often a verdict flipped, of how many times it could have. */
export const Flips = z.object({ flips: z.number().int().nonnegative(), chances: z.number().int().positive() });
export type Flips = z.infer<typeof Flips>;

export const Flakiness = z.object({
  /** Tests that had a chance to flip, the most flips first. */
  tests: z.array(Flips.extend({ suite: SuiteName, test: z.string() })),
  /** Attempts that were looked at. */
  attempts: z.number().int().nonnegative(),
  /** Those whose results are missing here because they are not summed up yet, as in BuildGrid. */
  pending: z.number().int().nonnegative(),
});
export type Flakiness = z.infer<typeof Flakiness>;
