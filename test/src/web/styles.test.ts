import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const STYLES = join(import.meta.dirname, '../../../apps/web/src/styles');
const files = readdirSync(STYLES).filter((name) => name.endsWith('.css'));
const lines = files.flatMap((name) =>
  readFileSync(join(STYLES, name), 'utf8')
    .split('\n')
    .map((text, index) => ({ place: `${name}:${index + 1}`, text: text.trim() })),
);
const offending = (isWrong: (text: string) => boolean): string[] =>
  lines.filter(({ text }) => isWrong(text)).map(({ place, text }) => `${place} ${text}`);

it('text follows the font size of the browser: no font has a size in pixels', () => {
  expect(files.length).toBeGreaterThan(10);
  expect(offending((text) => /^font(?:-size)?:.*\dpx/.test(text))).toEqual([]);
});

it('paper, which is narrow, is no phone, and is never dark', () => {
  const media = /^@media \((?:max-width|prefers-color-scheme)/;
  expect(offending((text) => media.test(text))).toEqual([]);
  const tokens = readFileSync(join(STYLES, 'tokens.css'), 'utf8');
  expect(tokens).toMatch(/@media print \{\s*:root \{\s*color-scheme: light;/);
  for (const [, before = ''] of tokens.matchAll(/([^\n]*)\n[ ]*:root\[data-theme[^\n]*\{/g)) {
    expect(before).toMatch(/^(?:@media screen \{| {2}\})$/);
  }
});
