import { z } from 'zod';
import type { BundleManifest } from './bundle.js';
import { Name } from './ids.js';
import { Role } from './participants.js';

/** In a bundle whose kernel counts the lines of its series: all patches as one diff, and what gcc noted of those files. */
export const SERIES_DIFF_FILE = 'series.diff';
export const GCOV_NOTES_FILE = 'gcov-notes.tar';

/** Whether a kernel counts which lines of its series run. */
export const countsLines = ({ files }: Pick<BundleManifest, 'files'>): boolean =>
  files[SERIES_DIFF_FILE] !== undefined && files[GCOV_NOTES_FILE] !== undefined;

/** What an attempt counted is a file of the farm's own suite with this name. */
export const LINE_COUNTS_FILE = 'coverage.json';
/** Largest diff of a series that is shown with its lines, and largest LINE_COUNTS_FILE, in bytes. */
export const SERIES_DIFF_MAX_BYTES = 8 * 1024 * 1024;
export const LINE_COUNTS_MAX_BYTES = 2 * 1024 * 1024;
/** Files of a series, and lines of all of them, that are counted. */
export const COUNTED_FILES_MAX = 2000;
export const COUNTED_LINES_MAX = 200_000;
/** Longest name of a file of the kernel, in characters. */
const PATH_MAX = 400;

const Lines = z.array(z.number().int().positive()).max(COUNTED_LINES_MAX);

/** LINE_COUNTS_FILE: of the lines that the series adds and that have code, those that one attempt ran and those it did not. */
export const LineCounts = z.strictObject({
  schema: z.literal(1),
  /** Files that were built. One that the configuration leaves out is not here. */
  files: z
    .array(z.strictObject({ path: z.string().min(1).max(PATH_MAX), ran: Lines, missed: Lines }))
    .max(COUNTED_FILES_MAX),
});
export type LineCounts = z.infer<typeof LineCounts>;

/** Lines that a series adds: all of them, those that have code, and those of these that ran. */
export const CoverageTotals = z.object({
  added: z.number().int(),
  code: z.number().int(),
  ran: z.number().int(),
  /** Added lines of files that this configuration does not build; not among `added`. */
  notBuilt: z.number().int(),
});
export type CoverageTotals = z.infer<typeof CoverageTotals>;

export const CoverageLine = z.object({
  kind: z.enum([' ', '+', '-', '\\']),
  text: z.string(),
  /** Of an added line with code: how many of the attempts ran it. */
  ran: z.number().int().optional(),
});
export type CoverageLine = z.infer<typeof CoverageLine>;

export const CoverageFile = CoverageTotals.extend({
  path: z.string(),
  isBuilt: z.boolean(),
  hunks: z.array(
    z.object({
      oldStart: z.number().int(),
      newStart: z.number().int(),
      context: z.string(),
      lines: z.array(CoverageLine),
    }),
  ),
});
export type CoverageFile = z.infer<typeof CoverageFile>;

/** Attempts of one build that are added up; of more the newest are. */
export const COVERAGE_ATTEMPTS_MAX = 200;
/** Lines of a diff that are sent; the figures are of all of them. */
export const COVERAGE_LINES_MAX = 50_000;

/** Which lines of its series the tests of a build ran, over all its attempts. */
export const BuildCoverage = z.object({
  build: z.uuid(),
  name: Name,
  /** By path. */
  files: z.array(CoverageFile),
  totals: CoverageTotals,
  /** What is added up: attempts whose machine was proven to run this kernel. */
  attempts: z.array(
    z.object({
      attemptId: z.uuid(),
      role: Role,
      machine: Name.nullable(),
      code: z.number().int(),
      ran: z.number().int(),
    }),
  ),
  /** Attempts of the build that count for nothing, and why. */
  without: z.array(z.object({ attemptId: z.uuid(), role: Role, machine: Name.nullable(), why: z.string() })),
  /** There are more attempts than are added up. */
  isCut: z.boolean(),
  /** Lines of the diff were left out. */
  isDiffCut: z.boolean(),
});
export type BuildCoverage = z.infer<typeof BuildCoverage>;
