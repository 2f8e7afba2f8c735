import { runPhase, standingText, wrongText, type JobView, type RunDetail } from '@peerlab/contracts';
import { seconds, verdictText } from './text.js';

/** One line about where a job is now. */
function jobLine(job: JobView, colour: boolean, nowMs: number): string {
  const name = job.kind === 'build' ? `build ${job.build}` : `${job.machine ?? '?'} / ${job.build}`;
  const attempt = job.attempts.at(-1);
  if (job.state === 'blocked' || job.state === 'queued') return `${name}: ${job.waiting ?? 'queued'}`;
  if (job.state === 'ended') {
    const failure = attempt?.failure == null ? '' : ` — ${attempt.failure.class}: ${attempt.failure.message}`;
    const took = attempt === undefined ? '' : ` in ${seconds(attempt.startedAt, attempt.endedAt, nowMs)}`;
    return `${name}: ${job.kind === 'build' && job.verdict === null ? 'done' : verdictText(job.verdict, colour)}${took}${failure}`;
  }
  const stage = attempt?.stages.findLast((s) => s.status === 'started');
  const progress =
    attempt?.progress == null ? '' : ` ${Math.round(attempt.progress.percent)} % ${attempt.progress.text}`;
  const retry = attempt === undefined || attempt.number === 1 ? '' : ` (attempt ${attempt.number})`;
  return `${name}: ${stage?.stage ?? 'assigned'}${retry}${progress}`;
}

/** Lines of what changed since the last call: jobs, and where the run stands. Keeps them in `before`, by id. */
export function changedLines(run: RunDetail, before: Map<string, string>, colour: boolean, nowMs: number): string[] {
  const lines: string[] = [];
  for (const job of run.jobViews) {
    const line = jobLine(job, colour, nowMs);
    const coarse = line.replace(
      / \d+ % .*$/,
      (progress) => ` ${Math.floor(Number.parseInt(progress.trim(), 10) / 10)}0 %`,
    );
    if (before.get(job.id) === coarse) continue;
    before.set(job.id, coarse);
    lines.push(line);
  }
  // Each result would be a line of its own: said again with each tenth, and with everything that goes wrong.
  const coarse = [runPhase(run), wrongText(run.counts), run.progress?.obstacle ?? '', tenthOf(run)].join('\n');
  if (run.state !== 'ended' && before.get(run.id) !== coarse) lines.push(standingText(run));
  before.set(run.id, coarse);
  return lines;
}

function tenthOf({ progress }: RunDetail): number {
  const { reported = 0, planned = null } = progress ?? {};
  return Math.floor(planned === null || planned === 0 ? reported / 10 : (reported * 10) / planned);
}
