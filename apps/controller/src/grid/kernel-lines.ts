import { linesByAttempt, type VerdictLine } from '../verdicts/packed-verdicts.js';
import { sumUpRepeats } from './repeats.js';
import type { TestedKernelRow } from './tested-kernels.js';

/** What combinations say of a suite on a kernel. */
export interface KernelLine extends Omit<VerdictLine, 'attemptId'> {
  /** Index of the kernel. */
  kernel: number;
  /** One letter for each test, of one combination after the other. */
  verdicts: string;
  /** Why, by the test's place; absent where all combinations are folded. */
  reasons?: Readonly<Record<string, string>>;
}

/** The attempts of one kernel on one combination, the newest first. */
export interface Repeats {
  /** Index of the kernel. */
  kernel: number;
  attempts: readonly [string, ...string[]];
}

type Kernels = readonly Pick<TestedKernelRow, 'attempts'>[];

/** The attempts of each kernel and combination. Pure. */
export function repeatsOf(kernels: Kernels): Repeats[] {
  return kernels.flatMap(({ attempts }, kernel) => {
    const byCombination = new Map<string, [string, ...string[]]>();
    for (const { combination, attempt } of attempts) {
      const known = byCombination.get(combination);
      if (known === undefined) byCombination.set(combination, [attempt]);
      else known.push(attempt);
    }
    return [...byCombination.values()].map((own) => ({ kernel, attempts: own }));
  });
}

/** All attempts of some kernels. */
export function attemptsOf(kernels: Kernels): string[] {
  return kernels.flatMap(({ attempts }) => attempts.map(({ attempt }) => attempt));
}

/** Of each kernel, combination and suite the line of the newest attempt that has one, and the older ones. */
function linesBySuite<T extends { attemptId: string; suite: string }>(
  { attempts }: Repeats,
  byAttempt: ReadonlyMap<string, readonly T[]>,
): [newest: T, ...older: T[]][] {
  const bySuite = new Map<string, [T, ...T[]]>();
  for (const line of attempts.flatMap((attempt) => byAttempt.get(attempt) ?? [])) {
    const known = bySuite.get(line.suite);
    if (known === undefined) bySuite.set(line.suite, [line]);
    else known.push(line);
  }
  return [...bySuite.values()];
}

/** Of every kernel, combination and suite the line of the newest attempt that has one. Pure. */
export function newestLines<T extends { attemptId: string; suite: string }>(
  kernels: Kernels,
  lines: readonly T[],
): (T & Pick<KernelLine, 'kernel'>)[] {
  const byAttempt = linesByAttempt(lines);
  return repeatsOf(kernels).flatMap((repeats) =>
    linesBySuite(repeats, byAttempt).map(([newest]) => ({ ...newest, kernel: repeats.kernel })),
  );
}

/** The same with the verdicts of repeats that contradict each other (verdictOfRepeats). Pure. */
export function summedLines(
  all: readonly Repeats[],
  lines: readonly (VerdictLine & Pick<KernelLine, 'reasons'>)[],
): KernelLine[] {
  const byAttempt = linesByAttempt(lines);
  return all.flatMap((repeats) =>
    linesBySuite(repeats, byAttempt).map(([newest, ...older]) => ({
      ...sumUpRepeats(newest, older),
      kernel: repeats.kernel,
    })),
  );
}

/**
 * Kernels (newest first) so that those of one build name are neighbours: the group with the newest kernel
 * first, in a group the newest first. Pure.
 */
export function arrangeKernels(kernels: readonly TestedKernelRow[]): TestedKernelRow[] {
  const groups = new Map<string, TestedKernelRow[]>();
  for (const kernel of kernels) {
    const group = groups.get(kernel.column.build.name) ?? [];
    groups.set(kernel.column.build.name, group);
    group.push(kernel);
  }
  return [...groups.values()].flat();
}
