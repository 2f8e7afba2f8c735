import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VERDICTS } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';

const APPS = join(import.meta.dirname, '../../..');
const SOURCES = ['controller/src', 'web/src', 'cli/src'].map((folder) => join(APPS, folder));

const NAME = `['"\`](?:${VERDICTS.join('|')})['"\`]`;
/** Two verdicts in a list, as in `['pass', 'skip']` or SQL's `in ('pass', 'skip')`. */
const LIST = new RegExp(`${NAME}\\s*,\\s*${NAME}`);
/** Two comparisons in a row, as in `x !== 'pass' && x !== 'skip'`. */
const COMPARISONS = new RegExp(`[!=]==? ${NAME}\\s*(?:&&|\\|\\|)[^;\\n]{0,60}[!=]==? ${NAME}`);

/** What decides by a list of verdicts of its own. */
function ownLists(source: string): string[] {
  return [LIST, COMPARISONS].flatMap((pattern) => pattern.exec(source)?.[0] ?? []);
}

it('finds lists of verdicts', () => {
  for (const source of [
    `new Set(['pass', 'skip'])`,
    `where verdict in ('canceled','infra')`,
    `each.verdict !== 'pass' && each.verdict !== 'skip'`,
  ]) {
    expect(ownLists(source)).toHaveLength(1);
  }
  expect(ownLists(`kind === 'crash' ? 'error' : 'warning'; verdict <> 'canceled'`)).toEqual([]);
});

describe('no program has a list of verdicts of its own: VERDICT_TABLE has a column for each question', () => {
  it.each(SOURCES)('%s', async (folder) => {
    const files = (await readdir(folder, { recursive: true })).filter(
      (file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file) && !file.startsWith('testing/'),
    );
    expect(files.length).toBeGreaterThan(10);
    const found: string[] = [];
    for (const file of files) {
      found.push(...ownLists(await readFile(join(folder, file), 'utf8')).map((list) => `${file}: ${list}`));
    }
    expect(found).toEqual([]);
  });
});
