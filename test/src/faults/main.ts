import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Fallen, type Outcome, report } from './report.js';
import type { Order } from './worker.js';

const DEFAULT_SCHEDULES = 20;
const DEFAULT_JOBS = 4;
/** Characters of the last output of a farm that failed. */
const LAST_OUTPUT_MAX = 2000;

/**
 * Lets schedules of faults happen and compares what the lab did with what Postgres holds.
 * `--seed N` the first seed · `--schedules N` how many · `--seconds N` no new one after that time ·
 * `--jobs N` farms at the same time · `--rate N` virtual seconds in a real one · `--minutes N` a schedule lasts so
 * long, with runs in flight all the time · `--show` each schedule · `--report FILE` markdown · `--ktap` a line for each
 * schedule instead of the report. A farm that fails, so that nothing was judged, is replaced once for its seed.
 * Exit code 1 = a promise was broken, or could not be judged.
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
  const fallen: Fallen[] = [];
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (interrupted = true));
  const queue: Queue = {
    next: () => (interrupted || (endAt !== null && Date.now() >= endAt) ? undefined : seeds.shift()),
    take: (outcome) => {
      outcomes.push(outcome);
      say(outcome, minutes);
    },
    fell: (fall) => {
      fallen.push(fall);
      process.stderr.write(`seed ${fall.seed}: the farm itself failed: ${fall.lastOutput}\n`);
      // The promises were not judged: the seed is run once more on another farm.
      const again = fallen.filter(({ seed }) => seed === fall.seed).length === 1;
      if (again) seeds.push(fall.seed);
    },
  };
  const order: Order = { rate, minutes, show: values.show === true };
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      while ((await runWorker(order, queue)) === 'fell');
    }),
  );
  outcomes.sort((a, b) => a.seed - b.seed);
  const text = report(outcomes, fallen, { seconds: (Date.now() - startedAt) / 1000, jobs });
  if (values.report !== undefined) await writeFile(values.report, text);
  process.stdout.write(values.ktap === true ? ktap(outcomes, fallen, first, count) : text);
  const judged = new Set(outcomes.map(({ seed }) => seed));
  const isKept = outcomes.every(({ findings }) => findings.length === 0);
  return judged.size > 0 && isKept && fallen.every(({ seed }) => judged.has(seed)) ? 0 : 1;
}

/** What workers share. */
interface Queue {
  next: () => number | undefined;
  take: (outcome: Outcome) => void;
  fell: (fall: Fallen) => void;
}

/** One farm in a process of its own: SSH servers and proxies of several would slow each other down. */
async function runWorker(order: Order, queue: Queue): Promise<'done' | 'fell'> {
  const child = fork(fileURLToPath(new URL('worker.js', import.meta.url)), [JSON.stringify(order)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let lastOutput = '';
  child.stderr?.on('data', (piece: Buffer) => {
    lastOutput = (lastOutput + piece.toString()).slice(-LAST_OUTPUT_MAX);
    process.stderr.write(piece);
  });
  let seed: number | null = null;
  child.on('message', (message: { outcome?: Outcome }) => {
    if (message.outcome !== undefined) queue.take(message.outcome);
    seed = queue.next() ?? null;
    // A worker that has just ended is handled at its close event.
    child.send({ seed }, () => undefined);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code === 0 || seed === null) return 'done';
  queue.fell({ seed, lastOutput: lastOutput.trim() || `ended with ${code ?? signal}` });
  return 'fell';
}

/** A seed without an outcome counts as failed. */
function ktap(outcomes: readonly Outcome[], fallen: readonly Fallen[], first: number, count: number): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const seed = first + index;
    const outcome = outcomes.find((one) => one.seed === seed);
    const falls = fallen.filter((fall) => fall.seed === seed).map(({ lastOutput }) => lastOutput.split('\n').at(-1));
    const ok = outcome?.findings.length === 0 ? 'ok' : 'not ok';
    const said = [
      ...(outcome === undefined ? ['no outcome'] : outcome.findings.map(({ promise }) => promise)),
      ...falls.map((words) => `a farm failed: ${words}`),
    ];
    return `${ok} ${index + 1} seed ${seed}${said.length === 0 ? '' : ` # ${said.join('; ')}`}`;
  });
  return ['KTAP version 1', `1..${count}`, ...lines, ''].join('\n');
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
