import type { Grid, RunDetail } from '@peerlab/contracts';
import { exitCodeOf, ofRole } from '@peerlab/contracts';

/** The final grid for scripts: one entry per cell and one per metric, each with its whole combination. */
export function reportOf(run: RunDetail, grid: Grid): object {
  const where = (index: number) => {
    const column = grid.columns[index];
    if (column === undefined) throw new Error(`the grid has no column ${index}`);
    return {
      combination: column.combination.label,
      pathKind: column.combination.identity.pathKind,
      machine: column.machine,
      build: column.build.name,
    };
  };
  return {
    schema: 1,
    run: {
      id: run.id,
      name: run.name,
      verdict: run.verdict,
      exitCode: exitCodeOf(run.verdict),
      createdAt: run.createdAt,
      endedAt: run.endedAt,
    },
    columns: grid.columns.map((column, index) => ({
      ...where(index),
      combinationHash: column.combination.hash,
      identity: column.combination.identity,
      kernel: column.build,
      verdict: column.verdict,
      attemptId: column.attemptId,
      logLines: column.logLines,
    })),
    results: grid.cells.map((cell) => ({
      ...where(cell.column),
      suite: grid.rows[cell.row]?.suite,
      test: grid.rows[cell.row]?.test,
      verdict: cell.verdict,
      reason: cell.reason,
      durationMs: cell.durationMs,
      proof: cell.proof === null ? null : grid.proofs[cell.proof],
    })),
    metrics: grid.metrics.flatMap((metric) =>
      metric.values.flatMap((value, index) =>
        value === null
          ? []
          : [
              {
                ...where(index),
                suite: metric.suite,
                name: metric.name,
                ...ofRole(metric),
                unit: metric.unit,
                better: metric.better,
                ...value,
              },
            ],
      ),
    ),
    failures: run.jobViews.flatMap((job) => {
      const failure = job.attempts.at(-1)?.failure;
      return failure == null ? [] : [{ job: job.kind, build: job.build, machine: job.machine, ...failure }];
    }),
  };
}
