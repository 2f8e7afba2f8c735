import { cutText, progressText, runPhase } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { renderGrid } from '../render/grid.js';
import { shortId, table, verdictText } from '../render/text.js';
import { findId, runId } from '../short-id.js';
import { jsonReport, markdownReport, type ReportForm, sizesReport } from './report.js';
import { sendOnce } from './send-once.js';

/** A reason to wait may name every machine; `explain` gives all of it. */
const STANDING_MAX = 72;

/** The newest runs that test kernels, or (health) the farm's checks of machines. @param limit how many, 1 to 200 */
export async function listRuns(
  { api, colour }: Context,
  { limit, health }: { limit: number; health: boolean },
): Promise<Answer> {
  const runs = await api.call('listRuns', { query: { limit, ...(health ? { purpose: 'health' } : {}) } });
  const rows = runs.map((run) => [
    shortId(run.id),
    runPhase(run),
    run.verdict === null ? cutText(progressText(run), STANDING_MAX) : verdictText(run.verdict, colour),
    `${run.jobs.ended}/${run.jobs.total}`,
    run.createdAt,
    run.name,
  ]);
  return { data: runs, text: table([['RUN', 'STATE', 'VERDICT', 'JOBS', 'CREATED', 'NAME'], ...rows]) };
}

/** Ends a run; machines that it holds are restored first. */
export async function cancelRun({ api }: Context, run: string): Promise<Answer> {
  const summary = await api.call('cancelRun', { params: { run: await runId(api, run) } });
  const left = summary.jobs.total - summary.jobs.ended;
  const rest =
    summary.state === 'ended' ? 'has ended' : `ends ${left} ${left === 1 ? 'job' : 'jobs'} and restores their machines`;
  return { data: summary, text: `run ${shortId(summary.id)} is canceled: it ${rest}` };
}

/**
 * Submits a run again as it was written; of a job, or of an attempt of it, that job alone. Returns the new run.
 */
export async function retry({ api }: Context, what: string): Promise<Answer> {
  const { kind, id } = await findId(api, what, ['run', 'attempt', 'job']);
  const job = kind === 'attempt' ? (await api.call('getAttempt', { params: { attempt: id } })).jobId : id;
  const summary =
    kind === 'run'
      ? await sendOnce((newId) => api.call('retryRun', { params: { run: id }, body: { id: newId } }))
      : await api.call('retryJob', { params: { job } });
  return { data: summary, text: `${summary.id}  ${api.url}/runs/${summary.id}` };
}

/** The grid of a run, or without one the newest results of every combination and build. */
export async function showGrid(
  { api, colour }: Context,
  { run, byMachine }: { run: string | undefined; byMachine: boolean },
): Promise<Answer> {
  const machines = byMachine ? ('each' as const) : undefined;
  const query = run === undefined ? { machines } : { run: await runId(api, run) };
  const grid = await api.call('getGrid', { query });
  return { data: grid, text: renderGrid(grid, colour) };
}

/** The report of a run: Markdown for people, data with every sample for programs. */
export async function showReport({ api, json }: Context, run: string, { as }: { as: ReportForm }): Promise<Answer> {
  const id = await runId(api, run);
  if (as !== 'all') return sizesReport(api, id, as);
  if (json) return { data: await jsonReport(api, id), text: '' };
  return { data: null, text: (await markdownReport(api, id)).trimEnd() };
}
