import { HttpClient } from '@peerlab/client';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { falseAlarmsOf } from './false-alarms.js';

const HELP = `node test/dist/measure/main.js [--url URL] [--token-file FILE] [--deals N] RUN…

Prints how often the rule for metrics is wrong on runs that boot one kernel under two names (test/README.md).
`;

const percent = (part: number, all: number): string => (all === 0 ? '-' : `${((100 * part) / all).toFixed(2)} %`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:7470' },
    'token-file': { type: 'string' },
    deals: { type: 'string', default: '200' },
  },
});
const deals = Number(values.deals);
if (positionals.length === 0 || !Number.isInteger(deals) || deals < 0 || deals > 10_000) {
  process.stderr.write(HELP);
  process.exit(64);
}
const file = values['token-file'];
const token = file === undefined ? null : (await readFile(file, 'utf8')).trim();
const client = new HttpClient({ url: values.url, token: () => token });
for (const run of positionals) {
  const grid = await client.call('getGrid', { query: { run } });
  // Not seeded: each call deals the boots out differently.
  const { machines, dealt } = falseAlarmsOf(grid, deals, Math.random);
  process.stdout.write(`\nrun ${run}\n\n| machine | boots | metrics | badged | |\n|---|---|---|---|---|\n`);
  for (const { machine, boots, metrics, badged } of machines) {
    const share = `${badged.length} (${percent(badged.length, metrics)})`;
    process.stdout.write(`| ${machine} | ${boots} | ${metrics} | ${share} | ${badged.join(', ')} |\n`);
  }
  process.stdout.write(
    `\nboots dealt out anew, ${dealt.pages} times: ${percent(dealt.badged, dealt.metrics)} of ${dealt.metrics} metrics badged, ` +
      `${percent(dealt.pagesWithAny, dealt.pages)} of the pages with any\n`,
  );
}
