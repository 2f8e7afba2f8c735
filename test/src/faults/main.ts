import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Outcome, report } from './report.js';
import type { Order } from './worker.js';

const DEFAULT_SCHEDULES = 30;
const DEFAULT_JOBS = 2;

/**
 * Lets schedules of faults happen and compares what the lab did with what Postgres holds.
 * `--seed N` the first seed · `--schedules N` how many · `--seconds N` no new one after that time ·
 * `--jobs N` farms at the same time · `--rate N` virtual seconds in a real one · `--minutes N` a schedule lasts so
 * long, with runs in flight all the time · `--show` each schedule · `--report FILE` markdown · `--ktap` a line for each
 * schedule instead of the report. Exit code 1 = a promise was broken.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      schedules: { type: 'string' },
      seconds: { type: 'string' },
      jobs: { type: 'string' },
      rate: { type: 'string' },
      minutes: { type: 'string' },
      report: { type: 'string' },
      show: { type: 'boolean' },
      ktap: { type: 'boolean' },
    },
  });
  const first = Number(values.seed ?? 1);
  const minutes = values.minutes === undefined ? null : Number(values.minutes);
  const isOne = values.seed !== undefined || minutes !== null;
  const count = Number(values.schedules ?? (isOne ? 1 : DEFAULT_SCHEDULES));
  const rate = values.rate === undefined ? null : Number(values.rate);
  const jobs = Math.min(count, Number(values.jobs ?? DEFAULT_JOBS));
  const startedAt = Date.now();
  const endAt = values.seconds === undefined ? null : startedAt + Number(values.seconds) * 1000;
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  const outcomes: Outcome[] = [];
  const workers = Array.from({ length: jobs }, () => {
    const order: Order = { rate, minutes, show: values.show === true };
    return runWorker(
      order,
      () => (endAt === null || Date.now() < endAt ? seeds.shift() : undefined),
      (outcome) => {
        outcomes.push(outcome);
        say(outcome, minutes);
      },
    );
  });
  const ended = await Promise.all(workers);
  outcomes.sort((a, b) => a.seed - b.seed);
  const text = report(outcomes, { seconds: (Date.now() - startedAt) / 1000, jobs });
  if (values.report !== undefined) await writeFile(values.report, text);
  process.stdout.write(values.ktap === true ? ktap(outcomes, count) : text);
  return !ended.includes(false) && outcomes.length > 0 && outcomes.every(({ findings }) => findings.length === 0)
    ? 0
    : 1;
}

/** One farm in a process of its own: SSH servers and proxies of several would slow each other down. */
async function runWorker(
  order: Order,
  next: () => number | undefined,
  take: (outcome: Outcome) => void,
): Promise<boolean> {
  const child = fork(fileURLToPath(new URL('worker.js', import.meta.url)), [JSON.stringify(order)]);
  let stopping = false;
  const stop = (): void => {
    stopping = true;
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const give = (): void => {
    child.send({ seed: stopping ? null : (next() ?? null) });
  };
  child.on('message', (message: { outcome?: Outcome }) => {
    if (message.outcome !== undefined) take(message.outcome);
    give();
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) process.stderr.write(`a farm of the fault suite ended with ${code}; its seed counts as broken\n`);
  return code === 0;
}

/** A seed without an outcome counts as broken. */
function ktap(outcomes: readonly Outcome[], count: number): string {
  const lines = outcomes.map(({ seed, findings }, index) => {
    const ok = findings.length === 0 ? 'ok' : 'not ok';
    return `${ok} ${index + 1} seed ${seed}`;
  });
  const missing = Array.from({ length: count - outcomes.length }, (_, index) => outcomes.length + index + 1);
  return ['KTAP version 1', `1..${count}`, ...lines, ...missing.map((n) => `not ok ${n} without an outcome`), ''].join(
    '\n',
  );
}

/** Progress goes to stderr, so that stdout is the report alone. */
function say({ seed, seconds, struck, attempts, findings }: Outcome, minutes: number | null): void {
  const long = minutes === null ? '' : ` --minutes ${minutes}`;
  const lines = [
    `seed ${seed}: ${seconds.toFixed(1)} s, ${struck.join(', ') || 'no fault struck'}; ${attempts} attempts, ` +
      (findings.length === 0 ? 'all promises kept' : `${findings.length} BROKEN`),
    ...findings.map(({ promise, detail }) => `  ${promise}: ${detail}`),
    ...(findings.length === 0 ? [] : [`  replay: npm run faults -- --seed ${seed}${long} --show`]),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}

process.exitCode = await main();
