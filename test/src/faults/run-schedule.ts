import type { FaultFarm } from './fault-farm.js';
import { gather, judge } from './oracle.js';
import { perform } from './perform.js';
import type { Outcome } from './report.js';
import type { Schedule } from './schedule.js';

/** Lets one schedule happen and judges what is left. The farm may be used again when nothing was found. */
export async function runSchedule(farm: FaultFarm, schedule: Schedule): Promise<Outcome> {
  const at = Date.now();
  const performance = await perform(farm, schedule);
  const evidence = await gather(farm, performance);
  return {
    seed: schedule.seed,
    seconds: (Date.now() - at) / 1000,
    rate: farm.clock.rate,
    struck: performance.struck,
    findings: judge(evidence, performance),
    verdicts: evidence.jobs.map(({ verdict }) => verdict ?? 'none'),
    attempts: evidence.attempts.length,
    pairs: new Set(evidence.attempts.filter(({ roles }) => roles > 1).map(({ attempt_id: id }) => id)).size,
    revoked: evidence.attempts.filter(({ revoked }) => revoked).length,
    lines: [...evidence.lines.values()].reduce((sum, lines) => sum + lines.length, 0),
    mended: performance.mended.length,
  };
}
