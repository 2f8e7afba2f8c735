import type { HttpClient } from '@peerlab/client';
import {
  carriesMutants,
  countsLines,
  renderReport,
  renderTwoSided,
  reportOfRun,
  twoSidedMatrix,
  twoSidedSizes,
  type RunDetail,
  type TwoSidedMatrix,
} from '@peerlab/contracts';
import { coverageMarkdown } from '../render/coverage.js';
import { mutantsMarkdown } from '../render/mutants.js';
import { kernelsOfRun } from './counting-builds.js';

/** A run's report as Markdown. */
export async function markdownReport(client: HttpClient, runId: string): Promise<string> {
  const [run, grid, fleet] = await readRun(client, runId);
  const report = renderReport(reportOfRun(run, grid, fleet.machines));
  const matrix = twoSidedMatrix(run);
  const parts = [report, matrix === null ? '' : await twoSidedReport(client, matrix), await linesReport(client, run)];
  return parts.filter((part) => part !== '').join('\n');
}

/** What the tests do to the series' own lines, of the builds whose kernels can tell; empty where there is none. */
async function linesReport(client: HttpClient, run: RunDetail): Promise<string> {
  const parts: string[] = [];
  for (const { build, manifest } of await kernelsOfRun(client, run)) {
    if (countsLines(manifest))
      parts.push(coverageMarkdown(await client.call('getBuildCoverage', { params: { build } })));
    if (carriesMutants(manifest))
      parts.push(mutantsMarkdown(await client.call('getBuildMutants', { params: { build } })));
  }
  return parts.length === 0 ? '' : `## Lines of the series\n\n${parts.join('\n\n')}\n`;
}

/** Kernel by kernel, where the jobs of the run have two machines each. */
async function twoSidedReport(client: HttpClient, matrix: TwoSidedMatrix): Promise<string> {
  const attempts = [];
  for (const { attemptId } of matrix.cells.flat().flatMap(({ jobs }) => jobs))
    attempts.push(await client.call('getAttempt', { params: { attempt: attemptId } }));
  return renderTwoSided(matrix, twoSidedSizes(attempts));
}

/** A run's report as data, with every measured sample. Suites become objects, because JSON has no maps. */
export async function jsonReport(client: HttpClient, runId: string): Promise<object> {
  const [run, grid, fleet] = await readRun(client, runId);
  const report = reportOfRun(run, grid, fleet.machines);
  const samples = [];
  for (const { build, machine, config, attemptId } of grid.columns.map((column) => ({
    build: column.build.name,
    machine: column.machine,
    config: column.build.config,
    attemptId: column.attemptId,
  }))) {
    if (attemptId === null) continue;
    const attempt = await client.call('getAttempt', { params: { attempt: attemptId } });
    for (const measurement of attempt.measurements) samples.push({ machine, build, config, attemptId, ...measurement });
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
