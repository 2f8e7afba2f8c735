import { readFileSync } from 'node:fs';
import { VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import { expect, it } from 'vitest';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
const rowPattern = /^\| `([a-z-]+)` \| [^|]+ \| (\d) \|$/gm;

it('README.md has every verdict, worst first, with its exit code', () => {
  const rows = [...readme.matchAll(rowPattern)].map(([, verdict, exitCode]) => ({
    verdict,
    exitCode: Number(exitCode),
  }));
  expect(rows).toEqual(VERDICTS.map((verdict) => ({ verdict, exitCode: VERDICT_TABLE[verdict].exitCode })));
});
