import type { BuildProgress, StoredProgress } from '../schema/attempts.js';
import { leftMs } from './queue-forecast.js';

/** What a build script does before costs little time for its percent. */
const COMPILER_BEGINS_PERCENT = 10;
/** Progress of the compiler, in percent, from which its speed follows: a few dozen files. */
const TELLING_PERCENT = 3;

/** A report together with what the reports before it tell about the speed. A build that begins anew, does so here too. */
export function nextProgress(before: StoredProgress | null, report: Omit<BuildProgress, 'from'>): BuildProgress {
  const isSameBuild = before !== null && before.percent <= report.percent;
  const from = isSameBuild && before.percent >= COMPILER_BEGINS_PERCENT ? before.from : undefined;
  return { ...report, from: from ?? { percent: report.percent, atMs: report.atMs } };
}

/**
 * What is left of a build that runs, in milliseconds: at the speed of its compiler so far, counted down since the
 * last report; by the duration of earlier builds (Infinity = unknown) until that speed is known.
 */
export function leftOfBuildMs(
  progress: StoredProgress | null,
  { elapsedMs, buildMs, nowMs }: { elapsedMs: number; buildMs: number; nowMs: number },
): number {
  const { percent = 0, atMs = 0, from, storedAtMs = nowMs } = progress ?? {};
  if (from === undefined || percent - from.percent < TELLING_PERCENT) return leftMs(buildMs, elapsedMs);
  const msPerPercent = (atMs - from.atMs) / (percent - from.percent);
  return leftMs(msPerPercent * (100 - percent), Math.max(0, nowMs - storedAtMs));
}
