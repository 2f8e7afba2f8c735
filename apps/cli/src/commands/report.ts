import type { HttpClient } from '@peerlab/client';
import {
  type AttemptDetail,
  attemptsOfMatrix,
  renderReport,
  renderTwoSided,
  renderTwoSidedSizes,
  reportOfRun,
  twoSidedCsv,
  twoSidedMatrix,
  twoSidedSizes,
  type TwoSidedMatrix,
  type TwoSidedSizes,
} from '@peerlab/contracts';
import { UsageError } from '../exit-codes.js';
import { linesReport } from './lines-report.js';

/** Forms of a report: all of it, or the figures of jobs with two machines by message size. */
export const REPORTED_AS = ['all', 'sizes', 'sizes-csv'] as const;
const NO_SIZES = 'no metric of this run has a message size';
export type ReportForm = (typeof REPORTED_AS)[number];

/** A run's report as Markdown. */
export async function markdownReport(client: HttpClient, runId: string): Promise<string> {
  const [run, grid, fleet] = await readRun(client, runId);
  const report = renderReport(reportOfRun(run, grid, fleet.machines));
  const matrix = twoSidedMatrix(run);
  const sides = matrix === null ? '' : renderTwoSided(matrix, await sizesOf(client, matrix));
  return [report, sides, await linesReport(client, run)].filter((part) => part !== '').join('\n');
}

/** The figures by message size of a run whose jobs have two machines each: as data, and as Markdown or CSV. */
export async function sizesReport(
  client: HttpClient,
  runId: string,
  as: 'sizes' | 'sizes-csv',
): Promise<{ data: TwoSidedSizes; text: string }> {
  const matrix = twoSidedMatrix(await client.call('getRun', { params: { run: runId } }));
  if (matrix === null)
    throw new UsageError(
      `no job of run ${runId} with two machines has begun; \`peerlab compare ${runId} --as ${as}\` compares kernels of one machine`,
    );
  const data = await sizesOf(client, matrix);
  const text = as === 'sizes-csv' ? twoSidedCsv(data) : renderTwoSidedSizes(data) || NO_SIZES;
  return { data, text: text.trimEnd() };
}

async function sizesOf(client: HttpClient, matrix: TwoSidedMatrix): Promise<TwoSidedSizes> {
  const attempts: AttemptDetail[] = [];
  for (const attempt of attemptsOfMatrix(matrix))
    attempts.push(await client.call('getAttempt', { params: { attempt } }));
  return twoSidedSizes(attempts);
}

/** A run's report as data, with every measured sample. Suites become objects, because JSON has no maps. */
export async function jsonReport(client: HttpClient, runId: string): Promise<object> {
  const [run, grid, fleet] = await readRun(client, runId);
  const report = reportOfRun(run, grid, fleet.machines);
  const samples = [];
  for (const { roles = [], attemptId, ...column } of grid.columns) {
    if (attemptId === null) continue;
    const attempt = await client.call('getAttempt', { params: { attempt: attemptId } });
    for (const measurement of attempt.measurements) {
      // Of several roles each measures on its own machine and kernel.
      const { machine, build } = roles.find(({ role }) => role === measurement.role) ?? column;
      samples.push({ machine, build: build.name, config: build.config, attemptId, ...measurement });
    }
  }
  return {
    schema: 1,
    ...report,
    matrix: report.matrix.map((row) => ({ ...row, suites: Object.fromEntries(row.suites) })),
    samples,
  };
}

function readRun(client: HttpClient, runId: string) {
  return Promise.all([
    client.call('getRun', { params: { run: runId } }),
    client.call('getGrid', { query: { run: runId } }),
    client.call('getFleet', {}),
  ]);
}
