import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { measureClaims } from './claims.js';
import { measureDispatch } from './dispatch.js';
import { BenchFarm } from './farm.js';
import { measureIngest } from './ingest.js';
import type { Comparison } from './measure.js';
import { measureGrid, measureLogPages } from './pages.js';
import { table, type Report } from './report.js';
import { measureSpool } from './spool.js';
import { measureTail } from './tail.js';

/** Measures the controller's hot paths beside floors of the same run. Fails on errors, never on speed. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'string' } } });
  const scale = readScale(process.env['BENCH_SCALE']);
  const size = (atOne: number, atLeast: number): number => Math.max(atLeast, Math.round(atOne * scale));
  const start = performance.now();
  say('starting Postgres and the controller');
  const farm = await BenchFarm.start();
  const interrupted = (): void => {
    say('interrupted; stopping');
    void farm.stop().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const comparisons: Comparison[] = [];
  try {
    say('dispatch');
    const dispatched = await measureDispatch(farm, { single: size(60, 5), burst: size(120, 5) });
    const { agent, running } = dispatched;
    say('claims of a long queue');
    const claims = await measureClaims(farm, { agents: size(1000, 20), rounds: 10, single: size(60, 5) });
    say('live tail');
    const tail = await measureTail(farm, agent, running, size(200, 10));
    say('log ingest');
    comparisons.push(...(await measureIngest(farm, agent, running, size(60_000, 2000))));
    comparisons.push(...tail, ...dispatched.comparisons, ...claims);
    say('from the console to Postgres');
    comparisons.push(
      ...(await measureSpool(farm, agent, running, { lines: size(100_000, 4000), paced: size(50_000, 2000) })),
    );
    say('grid');
    comparisons.push(...(await measureGrid(farm, { columns: 40, tests: size(300, 10), reads: 12 })));
    say('log pages');
    comparisons.push(...(await measureLogPages(farm, { lines: size(1_000_000, 5000), reads: 60 })));
  } finally {
    await farm.stop();
  }
  const report: Report = {
    scale,
    node: process.version,
    cores: availableParallelism(),
    seconds: (performance.now() - start) / 1000,
    comparisons,
  };
  process.stdout.write(table(report));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

/** BENCH_SCALE multiplies all sizes but the number of columns and of reads. */
function readScale(text: string | undefined): number {
  const scale = Number(text ?? '1');
  if (!(scale > 0)) throw new Error(`BENCH_SCALE ${text}: expected a number above 0, such as 0.1`);
  return scale;
}

/** Progress goes to stderr, so that stdout is the table alone. */
function say(text: string): void {
  process.stderr.write(`bench: ${(performance.now() / 1000).toFixed(0).padStart(3)} s  ${text} …\n`);
}

await main();
