import type { RunSummary } from '../schema/runs.js';
import type { RunState } from '../schema/states.js';
import { type Verdict, VERDICT_TABLE, VERDICTS } from '../schema/verdict.js';

/** What a run does, for people. `waiting` = it began, or could not, and none of its jobs runs now. */
export type RunPhase = RunState | 'waiting';

type Standing = Pick<RunSummary, 'state' | 'verdict' | 'counts' | 'jobs' | 'progress'>;

/** What a run does now. The state alone says `running` from the first attempt to the last. */
export function runPhase({ state, jobs, progress }: Pick<Standing, 'state' | 'jobs' | 'progress'>): RunPhase {
  if (state === 'ended' || progress === null) return state;
  if (progress.running > 0) return 'running';
  return state === 'running' || jobs.ended > 0 || progress.obstacle !== null ? 'waiting' : 'queued';
}

/**
 * Where a run stands, in the words of every page and command: `running, 40 of 109, no failure so far`. A run has a
 * verdict only when it has ended.
 */
export function standingText(run: Standing): string {
  if (run.state === 'ended') return run.verdict === null ? 'no verdict' : VERDICT_TABLE[run.verdict].label;
  return [runPhase(run), ...progressParts(run)].join(', ');
}

/** The same without the first word, for where a badge says it: `40 of 109, no failure so far`. */
export function progressText(run: Standing): string {
  return run.state === 'ended' ? '' : progressParts(run).join(', ');
}

function progressParts({ counts, progress }: Standing): string[] {
  if (progress === null) return [];
  const { reported, planned, obstacle } = progress;
  const count =
    planned !== null && planned > 0
      ? [`${reported} of ${planned}`]
      : reported > 0
        ? [`${reported} ${reported === 1 ? 'test' : 'tests'}`]
        : [];
  const wrong = wrongText(counts);
  const found = wrong !== '' ? [`${wrong} so far`] : reported > 0 ? ['no failure so far'] : [];
  return [...count, ...found, ...(obstacle === null ? [] : [obstacle])];
}

/** Counts of wrong verdicts, worst first: `1 crash, 2 fail`; empty if there are none. */
export function wrongText(counts: Partial<Record<Verdict, number>>): string {
  return VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].wrong && (counts[verdict] ?? 0) > 0)
    .map((verdict) => `${counts[verdict]} ${VERDICT_TABLE[verdict].label}`)
    .join(', ');
}
