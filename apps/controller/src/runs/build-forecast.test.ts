import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leftOfBuildMs, nextProgress } from './build-forecast.js';
import type { BuildProgress } from '../schema/attempts.js';

/** What the build script prints: a few steps, then one report a file, of which the agent passes on one a percent. */
const build = fc.record({
  files: fc.integer({ min: 40, max: 4000 }),
  msPerFile: fc.integer({ min: 20, max: 5000 }),
  /** Download, series and configuration, which nothing can be concluded from. */
  beforeMs: fc.integer({ min: 0, max: 600_000 }),
  /** The controller's clock minus the agent's. */
  skewMs: fc.integer({ min: -100_000_000, max: 100_000_000 }),
});

/** The estimates shown every few seconds until the last file; Infinity = unknown. */
function estimates(
  { files, msPerFile, beforeMs, skewMs }: { files: number; msPerFile: number; beforeMs: number; skewMs: number },
  { buildMs = Infinity, everyMs = 2000 } = {},
): { nowMs: number; leftMs: number }[] {
  const reports = [
    { percent: 0, atMs: 0 },
    { percent: 8, atMs: beforeMs / 2 },
    ...Array.from({ length: files + 1 }, (_, done) => ({
      percent: Number((10 + (78 * done) / files).toFixed(2)),
      atMs: beforeMs + done * msPerFile,
    })),
  ];
  const endMs = beforeMs + files * msPerFile;
  const looks: { nowMs: number; leftMs: number }[] = [];
  let progress: BuildProgress | null = null;
  let next = 0;
  for (let nowMs = 0; nowMs <= endMs; nowMs += Math.max(everyMs, endMs / 500)) {
    for (let report = reports[next]; report !== undefined && report.atMs <= nowMs; report = reports[(next += 1)]) {
      if (progress !== null && report.percent - progress.percent < 1) continue;
      progress = nextProgress(progress, { ...report, text: '', storedAtMs: report.atMs + skewMs });
    }
    looks.push({ nowMs, leftMs: leftOfBuildMs(progress, { elapsedMs: nowMs, buildMs, nowMs: nowMs + skewMs }) });
  }
  return looks;
}

describe('leftOfBuildMs', () => {
  it('never climbs while files are compiled at the same speed, and is right about the compiler', () => {
    fc.assert(
      fc.property(build, (each) => {
        const known = estimates(each).filter(({ leftMs }) => leftMs < Infinity);
        for (const [index, { nowMs, leftMs }] of known.entries()) {
          const before = known[index - 1]?.leftMs ?? Infinity;
          // Reports have two decimals.
          expect(leftMs).toBeLessThanOrEqual(before * 1.005 + 1);
          // 100 % at the speed of the compiler.
          const rightMs = each.beforeMs + (each.files * each.msPerFile * 90) / 78 - nowMs;
          expect(leftMs).toBeGreaterThan(rightMs * 0.98 - 1);
          expect(leftMs).toBeLessThan(rightMs * 1.02 + 0.03 * each.files * each.msPerFile);
        }
      }),
    );
  });

  it('is unknown at a first build until its speed is known, and what earlier builds took otherwise', () => {
    const each = { files: 1600, msPerFile: 500, beforeMs: 60_000, skewMs: 0 };
    expect(estimates(each)[10]?.leftMs).toBe(Infinity);
    expect(estimates(each, { buildMs: 600_000 })[10]).toEqual({ nowMs: 20_000, leftMs: 580_000 });
  });

  it('begins anew with a second build of the same attempt', () => {
    const at = (percent: number, atMs: number) => ({ percent, atMs, text: '', storedAtMs: atMs });
    let progress = nextProgress(nextProgress(null, at(10, 0)), at(88, 780_000));
    for (const report of [at(0, 800_000), at(10, 801_000), at(20, 802_000)]) progress = nextProgress(progress, report);
    expect(leftOfBuildMs(progress, { elapsedMs: 802_000, buildMs: Infinity, nowMs: 802_000 })).toBe(8000);
  });

  it('knows nothing from a report without times, which an earlier release stored', () => {
    const progress = { percent: 50, text: 'compiling' };
    expect(leftOfBuildMs(progress, { elapsedMs: 1000, buildMs: 5000, nowMs: 0 })).toBe(4000);
    expect(nextProgress(progress, { percent: 60, text: '', atMs: 7, storedAtMs: 8 }).from).toEqual({
      percent: 60,
      atMs: 7,
    });
  });
});
