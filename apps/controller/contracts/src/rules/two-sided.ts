import type { AttemptDetail } from '../schema/attempts.js';
import type { BootSpread } from '../schema/compare.js';
import type { JobView, RunDetail } from '../schema/run-detail.js';
import type { TestedSide } from '../schema/tested-role.js';
import type { Verdict } from '../schema/verdict.js';
import { messageSizeOf } from './message-size.js';
import { bySeverity } from './verdict.js';

/** One kernel of each role, and what came of it. */
export interface TwoSidedCell {
  /** Jobs, the worst first: several where a run repeats, or tests several machines. */
  jobs: { verdict: Verdict | null /** Null while it has not begun. */; attemptId: string | null }[];
}

/** Kernel by kernel: a row for each kernel of one role, a column for each of the other one. */
export interface TwoSidedMatrix {
  rows: { role: string; builds: string[] };
  columns: { role: string; builds: string[] };
  /** By row, then by column. */
  cells: TwoSidedCell[][];
}

/** A role of a job with the kernel that it boots, and the machine once it has one. */
export interface JobSide {
  role: string;
  build: string;
  machine: string | null;
}

/** The sides of a job that several machines carry out; null for any other one. Those that its newest attempt had, or it wants. */
export function sidesOfJob({ build, combination, attempts }: JobView): JobSide[] | null {
  const attempt = attempts.at(-1);
  if (attempt !== undefined) return sidesOfAttempt(attempt);
  const { role, peers = [] } = combination?.identity ?? {};
  if (role === undefined || peers.length === 0) return null;
  return [{ role, build }, ...peers].map((side) => ({ role: side.role, build: side.build, machine: null }));
}

/** The sides of an attempt of several machines; null for any other one. */
export function sidesOfAttempt({ participants }: Pick<JobView['attempts'][number], 'participants'>): JobSide[] | null {
  const sides = participants.map(({ role, build, machine }) => ({ role, build: build?.name ?? '?', machine }));
  return sides.length > 1 ? sides : null;
}

/** The sides in a line: `server base on m1, client new on m2`. */
export const sidesText = (sides: readonly JobSide[]): string =>
  sides.map(({ role, build, machine }) => `${role} ${build}${machine === null ? '' : ` on ${machine}`}`).join(', ');

/** `base`; of one of several roles `server base`, of a further one `client new with server base`. */
export function buildOfSide({ build, role, facing }: TestedSide & { build: string }): string {
  if (role === undefined) return build;
  return facing === undefined ? `${role} ${build}` : `${role} ${build} with ${facing.role} ${facing.build}`;
}

/** The matrix of a run whose jobs have two machines each; null where there is no such job. */
export function twoSidedMatrix({ jobViews }: Pick<RunDetail, 'jobViews'>): TwoSidedMatrix | null {
  const jobs = jobViews.flatMap((job) => {
    const sides = sidesOfJob(job);
    const attemptId = job.attempts.at(-1)?.id ?? null;
    return sides?.length === 2 ? [{ verdict: job.verdict, attemptId, sides }] : [];
  });
  const [first] = jobs;
  if (first === undefined) return null;
  const [rowRole = '', columnRole = ''] = first.sides.map(({ role }) => role);
  const buildOf = ({ sides }: (typeof jobs)[number], role: string): string =>
    sides.find((side) => side.role === role)?.build ?? '?';
  const [rows, columns] = [rowRole, columnRole].map((role) => [...new Set(jobs.map((job) => buildOf(job, role)))]);
  return {
    rows: { role: rowRole, builds: rows ?? [] },
    columns: { role: columnRole, builds: columns ?? [] },
    cells: (rows ?? []).map((row) =>
      (columns ?? []).map((column) => ({
        jobs: jobs
          .filter((job) => buildOf(job, rowRole) === row && buildOf(job, columnRole) === column)
          .map(({ verdict, attemptId }) => ({ verdict, attemptId }))
          .toSorted((a, b) => (a.verdict === null || b.verdict === null ? 0 : bySeverity(a.verdict, b.verdict))),
      })),
    ),
  };
}

/** Attempts of a matrix, by row, then by column: those whose figures belong to it. */
export const attemptsOfMatrix = ({ cells }: TwoSidedMatrix): string[] =>
  cells.flat().flatMap(({ jobs }) => jobs.flatMap(({ attemptId }) => attemptId ?? []));

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
    const sides = sidesOfAttempt(attempt);
    if (sides?.length !== 2) continue;
    const name = sides.map(({ role, build }) => `${role}: ${build}`).join(', ');
    if (!kernels.some((each) => each.name === name))
      kernels.push({ name, sides: sides.map(({ role, build }) => ({ role, build })) });
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
