import { writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { BenchFarm } from '../farm.js';
import { measureBrowser, type BrowserTime } from './browser.js';
import { measurePages, type PageTime } from './pages.js';
import { LARGE, seedLargeFarm, type LargeFarm } from './seed.js';

/**
 * Fills a database with the farm of years (`--scale 0.1` with a tenth of it) and measures every page: the
 * controller's answers, and what a person in a browser waits for. `--json FILE`. Fails on errors, never on speed.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'string' }, scale: { type: 'string' } } });
  const scale = Number(values.scale ?? '1');
  if (!(scale > 0 && scale <= 1)) throw new Error(`--scale ${values.scale}: expected a number above 0 and up to 1`);
  const size: LargeFarm = {
    ...LARGE,
    machines: Math.max(30, Math.round(LARGE.machines * scale)),
    runs: Math.max(100, Math.round(LARGE.runs * scale)),
    logLines: Math.max(10_000, Math.round(LARGE.logLines * scale)),
  };
  const farm = await BenchFarm.start();
  const stop = (): void => void farm.stop().finally(() => process.exit(130));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const at = await seedLargeFarm(await farm.connect(), size, say);
    say('pages');
    const pages = await measurePages(farm.url, size, at);
    say('browser');
    const browser = await measureBrowser(farm.url, at, size.logLines);
    process.stdout.write(`${pageTable(pages)}\n\n${browserTable(browser)}\n`);
    if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ size, pages, browser }, null, 2));
  } finally {
    await farm.stop();
  }
}

const ms = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1)).padStart(9);

function pageTable(pages: readonly PageTime[]): string {
  const head = `${'page'.padEnd(38)}${['first ms', 'p50 ms', 'p95 ms', 'KiB', '× health'].map((t) => t.padStart(10)).join('')}`;
  const rows = pages.map(({ page, firstMs, p50Ms, p95Ms, bytes, ratio }) =>
    [page.padEnd(38), ms(firstMs), ms(p50Ms), ms(p95Ms), ms(bytes / 1024), ms(ratio)].join(' '),
  );
  return [head, ...rows].join('\n');
}

function browserTable(times: readonly BrowserTime[]): string {
  const head = `${'in the browser'.padEnd(48)}${['p50 ms', 'p95 ms', 'n'].map((t) => t.padStart(10)).join('')}`;
  return [
    head,
    ...times.map(
      ({ what, p50Ms, p95Ms, n }) => `${what.padEnd(48)} ${ms(p50Ms)} ${ms(p95Ms)} ${String(n).padStart(9)}`,
    ),
  ].join('\n');
}

/** Progress goes to stderr, so that stdout is the tables alone. */
function say(text: string): void {
  process.stderr.write(`bench: ${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text} …\n`);
}

await main();
