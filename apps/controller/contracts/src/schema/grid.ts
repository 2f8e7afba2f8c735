import { z } from 'zod';
import { BootNumber } from './boot-number.js';
import { Combination } from './combination.js';
import { Name, SuiteName } from './ids.js';
import { LogStream } from './logs.js';
import { MetricNoise } from './metric.js';
import { Role } from './participants.js';
import { DevicePair } from './paths.js';
import { Proof } from './proof.js';
import { EvidenceLines } from './results.js';
import { JobState } from './states.js';
import { NamedKernel, TestedRole } from './tested-role.js';
import { Time } from './time.js';
import { Verdict } from './verdict.js';

/** One column of the grid: a kernel build on one hardware combination, or one boot of it. */
export const GridColumn = z.object({
  combination: Combination,
  build: NamedKernel.extend({
    /** Other names under which runs tested the same kernel, by build-id, on this combination; each once, sorted. */
    aliases: z.array(Name).default([]),
  }),
  machine: Name.nullable(),
  /** The devices that were tested there. */
  pair: DevicePair.nullable().default(null),
  /** All roles of the job, in their order; absent where it has one. The first one is what `build`, `machine` and `pair` say. */
  roles: z.array(TestedRole).optional(),
  runId: z.uuid(),
  runName: z.string(),
  jobId: z.uuid(),
  attemptId: z.uuid().nullable(),
  state: JobState,
  verdict: Verdict.nullable(),
  /** When the newest result of the column was stored. */
  at: Time.nullable(),
  /** Stored log lines of the attempt by stream. */
  logLines: z.partialRecord(LogStream, z.number().int()),
  /** Null without `repeat`. The boots of one kernel on one machine are neighbours; foldBoots makes one column of them. */
  boot: BootNumber.nullable().default(null),
  /** A later job of the same build name and combination that has not ended; null in the grid of a run. */
  busy: z.object({ jobId: z.uuid(), runId: z.uuid(), runName: z.string(), state: JobState }).nullable().default(null),
});
export type GridColumn = z.infer<typeof GridColumn>;

export const GridCell = z.object({
  row: z.number().int(),
  column: z.number().int(),
  verdict: Verdict,
  reason: z.string().nullable(),
  durationMs: z.number().nullable(),
  /** Its place in `proofs` of the grid. */
  proof: z.number().int().nonnegative().nullable(),
  log: EvidenceLines,
});
export type GridCell = z.infer<typeof GridCell>;

export const GridMetricRow = z.object({
  suite: SuiteName,
  /** The test that measured it. */
  test: z.string(),
  name: z.string(),
  /** Which role of a job with several measured it; absent in a job with one. */
  role: Role.optional(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  /**
   * What is known of its noise, by hash of the combination; only of combinations with so many boots of a kernel that a
   * verdict may be possible.
   */
  noise: z.record(z.string(), MetricNoise).default({}),
  /** By column index; null where it was not measured. */
  values: z.array(
    z
      .object({
        median: z.number(),
        /** Spread: lower and upper quartile, or with `boots` the lowest and the highest boot. */
        lowerQuartile: z.number(),
        upperQuartile: z.number(),
        /** Samples. */
        n: z.number().int(),
        /** Boots that the value stands for, where foldBoots made one of several. */
        boots: z.number().int().optional(),
      })
      .nullable(),
  ),
});

/** Stands for a test that a job will run and that has no result yet. No verdict has this letter. */
export const PENDING_LETTER = ':';

/** Beyond it a grid's cells are opened for the reason. */
export const GRID_NOTES_MAX = 2000;

export const GridRow = z.object({
  suite: SuiteName,
  test: z.string(),
  /** The letter of VERDICT_TABLE for each column; `:` where it is planned and has no result yet, `.` where it never ran. */
  verdicts: z.string(),
});
export type GridRow = z.infer<typeof GridRow>;

/**
 * Results by test (rows) and hardware combination × build (columns), columns sorted so that builds of
 * one combination are neighbours.
 */
export const Grid = z.object({
  columns: z.array(GridColumn),
  rows: z.array(GridRow),
  /** Why, of cells that say that something is wrong; the first GRID_NOTES_MAX of them. */
  notes: z.array(z.object({ row: z.number().int(), column: z.number().int(), reason: z.string() })),
  /** How many such cells there are; absent = `notes` has all. */
  notesTotal: z.number().int().optional(),
  /** Why cells that say that something is wrong count as known, each once. */
  marks: z
    .array(
      z.object({
        reason: z.string(),
        by: z.string(),
        until: Time,
        /** Version of the base kernel whose baseline it is; null: the failure was marked by itself. */
        base: z.string().nullable(),
      }),
    )
    .default([]),
  /** Cells whose failure people know, and the place of the reason in `marks`. All other cells that are wrong are new. */
  known: z
    .array(z.object({ row: z.number().int(), column: z.number().int(), mark: z.number().int().nonnegative() }))
    .default([]),
  /** All that is known of each cell that ran; none unless they were asked for. */
  cells: z.array(GridCell),
  /** The proofs of `cells`, each once: tests that pass give the same on many machines and boots. */
  proofs: z.array(Proof),
  metrics: z.array(GridMetricRow),
  /** Several machines have one of the combinations: `machines=each` tells them apart. Absent in the grid of a run, which does. */
  hasTwins: z.boolean().optional(),
  generatedAt: Time,
});
export type Grid = z.infer<typeof Grid>;
