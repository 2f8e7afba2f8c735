import type { Finding } from './evidence.js';
import { FAULT_KINDS, type FaultKind } from './schedule.js';

/** The result of one schedule. */
export interface Outcome {
  seed: number;
  seconds: number;
  /** Virtual seconds in a real one. */
  rate: number;
  struck: readonly FaultKind[];
  findings: readonly Finding[];
  /** Of the jobs. */
  verdicts: readonly string[];
  attempts: number;
  /** Attempts with two machines, of two agents. */
  pairs: number;
  revoked: number;
  lines: number;
  /** Machines that had to be mended after a quarantine. */
  mended: number;
}

/** A farm of the suite that ended before it could judge its schedule. */
export interface Fallen {
  seed: number;
  lastOutput: string;
}

/** The report as markdown. */
export function report(
  outcomes: readonly Outcome[],
  fallen: readonly Fallen[],
  { seconds, jobs }: { seconds: number; jobs: number },
): string {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const faults = FAULT_KINDS.map(
    (kind) => [kind, sum(({ struck }) => struck.filter((one) => one === kind).length)] as const,
  );
  const verdicts = new Map<string, number>();
  for (const verdict of outcomes.flatMap((outcome) => outcome.verdicts)) {
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  }
  const broken = outcomes.filter(({ findings }) => findings.length > 0);
  return [
    '# Fault suite',
    '',
    `${outcomes.length} schedules in ${Math.round(seconds)} s, ${jobs} at a time, time running ${rates(outcomes)} times as fast: ` +
      `${sum(({ struck }) => struck.length)} faults struck ${sum((outcome) => outcome.attempts)} attempts ` +
      `(${sum((outcome) => outcome.revoked)} lost their lease; ${sum(({ pairs }) => pairs)} pairs of them are the two sides of one), ` +
      `${sum(({ lines }) => lines)} log lines compared, ` +
      `${sum(({ mended }) => mended)} machines mended after a quarantine. ` +
      (broken.length === 0 ? 'Every promise was kept.' : `${broken.length} of them broke a promise.`),
    '',
    ...(fallen.length === 0
      ? []
      : [`Farms that failed and were replaced: ${fallen.map(({ seed }) => `seed ${seed}`).join(', ')}.`, '']),
    '| fault | struck |',
    '|---|---:|',
    ...faults.map(([kind, count]) => `| ${kind} | ${count} |`),
    '',
    '| verdict of a job | jobs |',
    '|---|---:|',
    ...[...verdicts].sort((a, b) => b[1] - a[1]).map(([verdict, count]) => `| ${verdict} | ${count} |`),
    '',
    ...broken.flatMap(({ seed, findings }) => [
      `## Seed ${seed}`,
      '',
      ...findings.map(({ promise, detail }) => `- ${promise}: ${detail}`),
      '',
    ]),
  ].join('\n');
}

function rates(outcomes: readonly Outcome[]): string {
  const all = outcomes.map(({ rate }) => rate);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? `${least}` : `${least} to ${most}`;
}
