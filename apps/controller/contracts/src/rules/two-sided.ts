import type { AttemptDetail } from '../schema/attempts.js';
import type { BootSpread } from '../schema/compare.js';
import type { RunDetail } from '../schema/runs.js';
import type { Verdict } from '../schema/verdict.js';
import { messageSizeOf } from './message-size.js';
import { bySeverity } from './verdict.js';

/** One kernel of each role, and what came of it. */
export interface TwoSidedCell {
  /** Jobs, the worst first: several where a run repeats, or tests several machines. */
  jobs: { verdict: Verdict | null; attemptId: string }[];
}

/** Kernel by kernel: a row for each kernel of one role, a column for each of the other one. */
export interface TwoSidedMatrix {
  rows: { role: string; builds: string[] };
  columns: { role: string; builds: string[] };
  /** By row, then by column. */
  cells: TwoSidedCell[][];
}

type Sides = Pick<RunDetail['jobViews'][number]['attempts'][number], 'participants'>;

/** The kernels of both sides of an attempt with two machines; null for any other one. */
function sidesOf({ participants }: Sides): { role: string; build: string }[] | null {
  const sides = participants.map(({ role, build }) => ({ role, build: build?.name ?? '?' }));
  return sides.length === 2 ? sides : null;
}

/**
 * The matrix of a run whose jobs have two machines each; null where none has begun. Jobs that have not begun are not in it,
 * as it is their attempts that say which kernel is where.
 */
export function twoSidedMatrix({ jobViews }: Pick<RunDetail, 'jobViews'>): TwoSidedMatrix | null {
  const begun = jobViews.flatMap(({ verdict, attempts }) => {
    const attempt = attempts.at(-1);
    const sides = attempt === undefined ? null : sidesOf(attempt);
    return attempt === undefined || sides === null ? [] : [{ verdict, attemptId: attempt.id, sides }];
  });
  const [first] = begun;
  if (first === undefined) return null;
  const [rowRole = '', columnRole = ''] = first.sides.map(({ role }) => role);
  const buildOf = ({ sides }: (typeof begun)[number], role: string): string =>
    sides.find((side) => side.role === role)?.build ?? '?';
  const [rows, columns] = [rowRole, columnRole].map((role) => [...new Set(begun.map((job) => buildOf(job, role)))]);
  return {
    rows: { role: rowRole, builds: rows ?? [] },
    columns: { role: columnRole, builds: columns ?? [] },
    cells: (rows ?? []).map((row) =>
      (columns ?? []).map((column) => ({
        jobs: begun
          .filter((job) => buildOf(job, rowRole) === row && buildOf(job, columnRole) === column)
          .map(({ verdict, attemptId }) => ({ verdict, attemptId }))
          .toSorted((a, b) => (a.verdict === null || b.verdict === null ? 0 : bySeverity(a.verdict, b.verdict))),
      })),
    ),
  };
}

/** Attempts of a matrix, by row, then by column: those whose figures belong to it. */
export const attemptsOfMatrix = ({ cells }: TwoSidedMatrix): string[] =>
  cells.flat().flatMap(({ jobs }) => jobs.map(({ attemptId }) => attemptId));

/** What a pair of kernels measured: over the medians of its attempts, each a boot of both machines. `n` counts samples. */
export type TwoSidedFigure = Pick<BootSpread, 'median' | 'lowest' | 'highest' | 'boots' | 'n'>;

/** A kernel of each role, and its name for people: `server: base, client: new`. */
export interface TwoSidedKernels {
  name: string;
  sides: { role: string; build: string }[];
}

/** One metric by message size, as one role measured it, with a column for each pair of kernels. */
export interface TwoSidedSeries {
  suite: string;
  series: string;
  /** Whose figures these are. */
  role: string;
  unit: string;
  better: 'lower' | 'higher';
  /** By size; the values in the order of `kernels`, null = not measured. */
  points: { bytes: number; values: (TwoSidedFigure | null)[] }[];
}

export interface TwoSidedSizes {
  kernels: TwoSidedKernels[];
  series: TwoSidedSeries[];
}

interface Boot {
  median: number;
  samples: number;
}

/** What attempts with two machines measured by message size. */
export function twoSidedSizes(
  attempts: readonly Pick<AttemptDetail, 'participants' | 'measurements'>[],
): TwoSidedSizes {
  const kernels: TwoSidedKernels[] = [];
  const found = new Map<string, Omit<TwoSidedSeries, 'points'> & { sizes: Map<number, Map<number, Boot[]>> }>();
  for (const attempt of attempts) {
    const sides = sidesOf(attempt);
    if (sides === null) continue;
    const name = sides.map(({ role, build }) => `${role}: ${build}`).join(', ');
    if (!kernels.some((each) => each.name === name)) kernels.push({ name, sides });
    const column = kernels.findIndex((each) => each.name === name);
    for (const { suite, role, unit, better, median, samples, ...metric } of attempt.measurements) {
      const size = messageSizeOf(metric);
      if (size === null) continue;
      const key = JSON.stringify([suite, size.series, role, unit, better]);
      const known = found.get(key) ?? { suite, series: size.series, role, unit, better, sizes: new Map() };
      found.set(key, known);
      const byColumn = known.sizes.get(size.bytes) ?? new Map<number, Boot[]>();
      known.sizes.set(size.bytes, byColumn);
      byColumn.set(column, [...(byColumn.get(column) ?? []), { median, samples: samples.length }]);
    }
  }
  return {
    kernels,
    series: [...found.values()].map(({ sizes, ...series }) => ({
      ...series,
      points: [...sizes]
        .toSorted(([a], [b]) => a - b)
        .map(([bytes, byColumn]) => ({ bytes, values: kernels.map((_, column) => summed(byColumn.get(column))) })),
    })),
  };
}

function summed(boots: readonly Boot[] | undefined): TwoSidedFigure | null {
  if (boots === undefined || boots.length === 0) return null;
  const sorted = boots.map(({ median }) => median).toSorted((a, b) => a - b);
  const at = (place: number): number => sorted[place] ?? 0;
  const middle = sorted.length / 2;
  return {
    median: (at(Math.ceil(middle) - 1) + at(Math.floor(middle))) / 2,
    lowest: at(0),
    highest: at(sorted.length - 1),
    boots: boots.length,
    n: boots.reduce((sum, { samples }) => sum + samples, 0),
  };
}

/** Whether no pair of kernels was booted twice: then the figures say nothing about a difference. */
export const isBootedOnce = ({ series }: TwoSidedSizes): boolean =>
  series.every(({ points }) => points.every(({ values }) => values.every((value) => (value?.boots ?? 1) === 1)));
