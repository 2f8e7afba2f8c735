import {
  kernelText,
  runPhase,
  sidesOfJob,
  sidesText,
  standingText,
  wrongText,
  type JobView,
  type RunDetail,
} from '@peerlab/contracts';
import { seconds, verdictText } from './text.js';

/** One line about where a job is now. */
export function jobLine(job: JobView, colour: boolean, nowMs: number): string {
  const sides = sidesOfJob(job);
  const place = sides === null ? `${job.machine ?? 'any machine'} / ${job.build}` : sidesText(sides);
  const name = job.kind === 'build' ? `build ${kernelText(job)}` : place;
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

/** A time in a text, as aboutText of the contracts writes it; digits are bounded, so it takes linear time. */
const ESTIMATE = /(?:about )?\b(\d{1,6}) (s|min|h|days)\b|less than a minute/g;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, days: 86_400 };
/** An estimate is news when it is further off than this part of the one before, and than so many seconds. */
const NEWS_SHARE = 0.3;
const NEWS_SECONDS = 180;

/** What was printed of a job: its line without estimates, and the estimates in seconds. */
export interface PrintedLine {
  text: string;
  estimates: number[];
}

/**
 * Lines of what changed since the last call, by more than estimates do: jobs, and where the run stands. Keeps them in
 * `before`, by id.
 */
export function changedLines(
  run: RunDetail,
  before: Map<string, PrintedLine>,
  colour: boolean,
  nowMs: number,
): string[] {
  const lines: string[] = [];
  for (const job of run.jobViews) {
    const line = jobLine(job, colour, nowMs);
    const coarse = line.replace(
      / \d+ % .*$/,
      (progress) => ` ${Math.floor(Number.parseInt(progress.trim(), 10) / 10)}0 %`,
    );
    const now = printedLine(coarse);
    if (!isNews(before.get(job.id), now)) continue;
    before.set(job.id, now);
    lines.push(line);
  }
  // Each result would be a line of its own: said again with each tenth, and with everything that goes wrong.
  const coarse = [runPhase(run), wrongText(run.counts), run.progress?.obstacle ?? '', tenthOf(run)].join('\n');
  if (run.state !== 'ended' && before.get(run.id)?.text !== coarse) lines.push(standingText(run));
  before.set(run.id, { text: coarse, estimates: [] });
  return lines;
}

function printedLine(line: string): PrintedLine {
  const estimates: number[] = [];
  const text = line.replace(ESTIMATE, (_, count: string | undefined, unit: string | undefined) => {
    estimates.push(count === undefined ? 30 : Number(count) * (UNIT_SECONDS[unit ?? ''] ?? 1));
    return '?';
  });
  return { text, estimates };
}

function isNews(before: PrintedLine | undefined, now: PrintedLine): boolean {
  if (before === undefined || before.text !== now.text) return true;
  return now.estimates.some((estimate, index) => {
    const moved = Math.abs(estimate - (before.estimates[index] ?? 0));
    return moved > NEWS_SECONDS && moved > NEWS_SHARE * (before.estimates[index] ?? 0);
  });
}

function tenthOf({ progress }: RunDetail): number {
  const { reported = 0, planned = null } = progress ?? {};
  return Math.floor(planned === null || planned === 0 ? reported / 10 : (reported * 10) / planned);
}
