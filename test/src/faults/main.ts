import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { FaultFarm } from './fault-farm.js';
import { gather, judge } from './oracle.js';
import { perform } from './perform.js';
import { type Outcome, report } from './report.js';
import { describeMoment, makeSchedule } from './schedule.js';

const DEFAULT_RATE = 6;
const DEFAULT_SCHEDULES = 30;

/**
 * Lets schedules of faults happen and compares what the lab did with what Postgres holds.
 * `--seed N` the first seed · `--schedules N` how many · `--seconds N` no new one after that time ·
 * `--rate N` virtual seconds in a real one · `--report FILE` markdown. Exit code 1 = a promise was broken.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      schedules: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      report: { type: 'string' },
      show: { type: 'boolean' },
    },
  });
  const first = Number(values.seed ?? 1);
  const schedules = Number(values.schedules ?? (values.seed === undefined ? DEFAULT_SCHEDULES : 1));
  const rate = Number(values.rate ?? DEFAULT_RATE);
  const end = values.seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.seconds) * 1000;
  const outcomes: Outcome[] = [];
  let farm: FaultFarm | null = null;
  let interrupted = false;
  process.once('SIGINT', () => (interrupted = true));
  process.once('SIGTERM', () => (interrupted = true));
  const startedAt = Date.now();
  try {
    for (let seed = first; seed < first + schedules && Date.now() < end && !interrupted; seed += 1) {
      const schedule = makeSchedule(seed);
      if (values.show === true) {
        for (const { when, fault } of schedule.faults) say(`  ${describeMoment(when)}: ${JSON.stringify(fault)}`);
        say(`  ${JSON.stringify(schedule.machines)}`);
      }
      farm ??= await FaultFarm.start(rate);
      const at = Date.now();
      const performance = await perform(farm, schedule);
      const evidence = await gather(farm, performance);
      const findings = judge(evidence, performance);
      const seconds = (Date.now() - at) / 1000;
      outcomes.push({
        seed,
        seconds,
        struck: performance.struck,
        findings,
        verdicts: evidence.jobs.map(({ verdict }) => verdict ?? 'none'),
        attempts: evidence.attempts.length,
        revoked: evidence.attempts.filter(({ revoked }) => revoked).length,
        lines: [...evidence.lines.values()].reduce((sum, lines) => sum + lines.length, 0),
        mended: performance.mended.length,
      });
      say(
        `seed ${seed}: ${seconds.toFixed(1)} s, ${performance.struck.join(', ') || 'no fault struck'}; ` +
          `${evidence.attempts.length} attempts, ${findings.length === 0 ? 'all promises kept' : `${findings.length} BROKEN`}`,
      );
      for (const { promise, detail } of findings) say(`  ${promise}: ${detail}`);
      if (findings.length > 0) {
        say(`  replay: npm run faults -- --seed ${seed} --show`);
        // Whatever went wrong may go on being wrong: the next schedule gets a farm of its own.
        await farm.stop();
        farm = null;
      }
    }
  } finally {
    await farm?.stop();
  }
  const text = report(outcomes, { rate, seconds: (Date.now() - startedAt) / 1000 });
  if (values.report !== undefined) await writeFile(values.report, text);
  process.stdout.write(text);
  return outcomes.every(({ findings }) => findings.length === 0) ? 0 : 1;
}

/** Progress goes to stderr, so that stdout is the report alone. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exitCode = await main();
