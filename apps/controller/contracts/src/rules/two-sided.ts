import type { AttemptDetail } from '../schema/attempts.js';
import type { RunDetail } from '../schema/run-detail.js';
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

/** One metric by message size, with a column for each pair of kernels. */
export interface TwoSidedSeries {
  suite: string;
  series: string;
  unit: string;
  better: 'lower' | 'higher';
  points: {
    bytes: number;
    /** In the order of `kernels`: the median over the medians of all attempts, and how many there are; null = none. */
    values: ({ median: number; n: number } | null)[];
  }[];
}

/** What attempts with two machines measured by message size: `kernels` names the columns, as `server: base, client: new`. */
export function twoSidedSizes(attempts: readonly Pick<AttemptDetail, 'participants' | 'measurements'>[]): {
  kernels: string[];
  series: TwoSidedSeries[];
} {
  const kernels: string[] = [];
  const found = new Map<string, Omit<TwoSidedSeries, 'points'> & { sizes: Map<number, Map<number, number[]>> }>();
  for (const attempt of attempts) {
    const sides = sidesOf(attempt);
    if (sides === null) continue;
    const name = sides.map(({ role, build }) => `${role}: ${build}`).join(', ');
    if (!kernels.includes(name)) kernels.push(name);
    const column = kernels.indexOf(name);
    for (const { suite, unit, better, median, ...metric } of attempt.measurements) {
      const size = messageSizeOf(metric);
      if (size === null) continue;
      const key = JSON.stringify([suite, size.series, unit, better]);
      const known = found.get(key) ?? { suite, series: size.series, unit, better, sizes: new Map() };
      found.set(key, known);
      const byColumn = known.sizes.get(size.bytes) ?? new Map<number, number[]>();
      known.sizes.set(size.bytes, byColumn);
      byColumn.set(column, [...(byColumn.get(column) ?? []), median]);
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

function summed(medians: readonly number[] | undefined): { median: number; n: number } | null {
  if (medians === undefined || medians.length === 0) return null;
  const sorted = medians.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? 0, sorted[Math.floor(middle)] ?? 0];
  return { median: (low + high) / 2, n: sorted.length };
}
