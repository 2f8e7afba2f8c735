import { appendFile, writeFile } from 'node:fs/promises';
import type { HttpClient } from '@peerlab/client';
import {
  exitCodeOf,
  renderReport,
  reportOfRun,
  VERDICT_TABLE,
  type RunDetail,
  type RunReport,
} from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { watchRun } from '../commands/watch.js';
import { EXIT, OutputError } from '../exit-codes.js';
import { renderGrid } from '../render/grid.js';
import { codeOf } from '../token.js';
import { ciOutputOf, type CiOutput, type CiPlace } from './ci-output.js';
import { junitOf } from './junit.js';

/** As many as GitHub shows of one step. */
const ERRORS_MAX = 10;
/** GitHub takes a summary of 1 MiB. */
const SUMMARY_MAX = 1_000_000;

/**
 * Follows a run in a CI job: its progress and its grid in folds, errors as the CI system shows them, a summary, and a
 * JUnit report. The exit code is that of the verdict.
 * @param junitFile where the report goes; null = nowhere
 */
export async function waitForRun(context: Context, runId: string, junitFile: string | null): Promise<Answer> {
  const { api, json, env } = context;
  const ci = ciOutputOf(env);
  const say = (text: string): void => (json ? undefined : context.write(text));
  context.setExitCode(EXIT.noStatement);
  say(ci.open(`Peerlab run ${runId}`));
  const run = await watchRun(api, runId, (line) => say(ci.lines(line)));
  say(ci.close());
  const [grid, fleet] = await Promise.all([api.call('getGrid', { query: { run: runId } }), api.call('getFleet', {})]);
  const report = reportOfRun(run, grid, fleet.machines);
  say(ci.open('Results') + ci.lines(renderGrid(grid, false)) + ci.close());
  for (const error of await errorsOf(api, run, report, ci)) say(error);
  if (junitFile !== null) await write(junitFile, () => writeFile(junitFile, junitOf(grid, report)));
  const summary = env['GITHUB_STEP_SUMMARY'];
  if (summary !== undefined && summary !== '')
    await write(summary, () => appendFile(summary, renderReport(report).slice(0, SUMMARY_MAX)));
  const verdict = run.verdict === null ? 'no verdict' : VERDICT_TABLE[run.verdict].label;
  return { data: { run, grid }, text: `${verdict}: ${api.url}/runs/${runId}`, exitCode: exitCodeOf(run.verdict) };
}

async function errorsOf(api: HttpClient, run: RunDetail, report: RunReport, ci: CiOutput): Promise<string[]> {
  const failed = run.jobViews.filter(({ kind, verdict }) => kind === 'build' && verdict !== null && verdict !== 'pass');
  const places = new Map<string, CiPlace>();
  for (const { build, buildId } of failed) {
    const { error } = await api.call('getBuild', { params: { build: buildId } });
    if (error === null || error.class === 'infrastructure' || error.file == null) continue;
    places.set(build, { path: error.file, line: error.line ?? 1 });
  }
  const errors = [
    ...report.failures.map(({ kind, place, message, class: name, role }) =>
      ci.error(
        `${place.machine} / ${place.build}: ${name}${role === null ? '' : ` of ${role}`}`,
        message,
        kind === 'build' ? (places.get(place.build) ?? null) : null,
      ),
    ),
    ...[...report.findings, ...report.known].map(({ suite, tests, verdict, reason, places: where, known }) =>
      ci.error(
        `${known === null ? '' : 'known '}${verdict}: ${suite}/${tests.join(', ')}`.slice(0, 200),
        `${where.join(', ')}: ${reason}${known === null ? '' : ` (${known})`}`,
        null,
      ),
    ),
  ];
  if (errors.length <= ERRORS_MAX) return errors;
  const more = ci.error('more errors', `and ${errors.length - ERRORS_MAX + 1} more, see the run`, null);
  return [...errors.slice(0, ERRORS_MAX - 1), more];
}

async function write(file: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new OutputError(`${file}: cannot be written (${codeOf(error)})`);
  }
}
