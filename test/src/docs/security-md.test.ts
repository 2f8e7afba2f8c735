import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const text = readFileSync(new URL('.github/SECURITY.md', root), 'utf8');
/** Rows of the tables of promises: the last column names tests. */
const rows = text.split('\n').filter((line) => /^\| .*\.test\.ts`/.test(line));

describe('SECURITY.md', () => {
  it('has a test behind each promise', () => {
    const promises = text
      .split('\n## ')
      .flatMap((section) => section.split('| promise | the test behind it |\n|---|---|\n').slice(1))
      .flatMap((table) => table.slice(0, table.search(/\n\n|$/)).split('\n'))
      .filter((line) => line.startsWith('|'));
    expect(promises.length).toBeGreaterThan(30);
    expect(promises).toEqual(rows);
  });

  it.each(rows.map((row) => [row.split('|')[1]?.trim() ?? '', row]))('names tests that exist: %s', (_, row) => {
    const tests = [...row.matchAll(/`([\w./-]+\.test\.ts)`: “([^”]+)”/g)];
    expect(row.match(/\.test\.ts/g)).toHaveLength(tests.length);
    for (const [, file = '', title = ''] of tests) {
      const url = new URL(file, root);
      expect(existsSync(url), file).toBe(true);
      const source = readFileSync(url, 'utf8');
      const found = [`'${title}`, `\`${title}`, `"${title}`].some((quoted) => source.includes(quoted));
      expect(found, `${file} has no test “${title}”`).toBe(true);
    }
  });
});
