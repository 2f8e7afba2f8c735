import { readFileSync, writeFileSync } from 'node:fs';
import { VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { COMMANDS } from './commands.js';
import { EXIT, EXIT_MEANING } from './exit-codes.js';
import { reference } from './reference.js';

const file = new URL('../README.md', import.meta.url);
const BEGIN = '<!-- reference: made by apps/cli/src/reference.ts -->';
const END = '<!-- end of reference -->';

it('README has the commands, options and exit codes of the program', () => {
  const text = readFileSync(file, 'utf8');
  const [before = '', rest = ''] = text.split(BEGIN);
  const after = rest.split(END)[1] ?? '';
  const wanted = `${before}${BEGIN}\n\n${reference()}\n\n${END}${after}`;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, wanted);
  else expect(text, 'update it: UPDATE_DOCS=1 npx vitest run apps/cli/src/reference').toBe(wanted);
});

it('the codes of verdicts are those of the verdict table, and its findings are named', () => {
  const codes = new Set(VERDICTS.map((verdict) => VERDICT_TABLE[verdict].exitCode));
  expect([...codes].toSorted((a, b) => a - b)).toEqual([EXIT.done, EXIT.findings, EXIT.noStatement]);
  for (const verdict of VERDICTS) {
    const { label, exitCode } = VERDICT_TABLE[verdict];
    if (exitCode === EXIT.findings) expect(EXIT_MEANING.findings).toContain(label);
  }
});

it('the parser keeps the value of an option under the name by which the command reads it', () => {
  for (const { options } of COMMANDS) {
    for (const [name, { flags }] of Object.entries(options)) {
      const long = /--([a-z-]+)/.exec(flags)?.[1] ?? '';
      expect(long.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())).toBe(name);
    }
  }
});
