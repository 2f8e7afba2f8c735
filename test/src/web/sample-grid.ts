import { VERDICT_TABLE, type Grid } from '@peerlab/contracts';
import { METRICS, TESTS, type SampleJob } from './sample-results.js';

/** The grid by combination of these jobs; `isWhole` = with all that is known of each cell. */
export function sampleGrid(jobs: readonly SampleJob[], isWhole = false): Grid {
  return {
    columns: jobs.map(({ job, attempt }) => ({
      combination: attempt.combination as Grid['columns'][number]['combination'],
      build: {
        id: job.buildId,
        name: job.build,
        release: '7.3.4-peerlab+',
        buildId: attempt.kernels[1]?.buildId ?? null,
        features: job.build === 'base' ? [] : ['dma_alias'],
        config: 'peerlab',
        aliases: [],
        git: null,
      },
      machine: job.machine,
      pair: job.pair,
      runId: attempt.run.id,
      runName: attempt.run.name,
      jobId: job.id,
      attemptId: attempt.id,
      state: job.state,
      verdict: job.verdict,
      at: attempt.endedAt,
      boot: null,
      busy: null,
      logLines: Object.fromEntries(attempt.streams.map(({ stream, lines }) => [stream, lines])),
    })),
    ...cellsOf(jobs, isWhole),
    marks: [],
    known: [],
    metrics:
      jobs.length === 0
        ? []
        : METRICS.map(({ name }) => ({
            suite: 'p2p-perf',
            test: name,
            name,
            unit: 'ns/page',
            better: 'lower' as const,
            noise: {},
            values: jobs.map(({ attempt }) => {
              const samples = attempt.measurements
                .find((metric) => metric.name === name)
                ?.samples.toSorted((a, b) => a - b);
              return samples === undefined
                ? null
                : {
                    median: samples[2] ?? 0,
                    lowerQuartile: samples[1] ?? 0,
                    upperQuartile: samples[3] ?? 0,
                    n: samples.length,
                  };
            }),
          })),
    generatedAt: new Date().toISOString(),
  };
}

/** What the farm itself says of an attempt. */
const FARM_CELL = { verdict: 'pass' as const, reason: null, durationMs: null, proof: null, log: null };

function cellsOf(jobs: readonly SampleJob[], isWhole: boolean): Pick<Grid, 'rows' | 'notes' | 'cells' | 'proofs'> {
  const tests =
    jobs.length === 0
      ? []
      : [
          ...['boot', 'restore'].map((test) => ({ suite: 'farm', test })),
          ...TESTS.map((test) => ({ suite: 'p2p-functional', test })),
        ];
  const proofs: Grid['proofs'] = [];
  const ran = jobs.flatMap(({ attempt }, column) => [
    ...[0, 1].map((row) => ({ ...FARM_CELL, row, column })),
    ...attempt.results.map(({ position, verdict, reason, durationMs, proof, log }) => ({
      row: position + 2,
      column,
      verdict,
      reason,
      durationMs,
      proof: proof === null ? null : proofs.push(proof) - 1,
      log,
    })),
  ]);
  const rows = tests.map((test, row) => ({
    ...test,
    verdicts: jobs
      .map((_, column) => ran.find((cell) => cell.row === row && cell.column === column)?.verdict)
      .map((verdict) => (verdict === undefined ? '.' : VERDICT_TABLE[verdict].letter))
      .join(''),
  }));
  const notes = ran.flatMap(({ row, column, verdict, reason }) =>
    reason === null || ['pass', 'skip', 'not-reached'].includes(verdict) ? [] : [{ row, column, reason }],
  );
  return { rows, notes, ...(isWhole ? { cells: ran, proofs } : { cells: [], proofs: [] }) };
}
