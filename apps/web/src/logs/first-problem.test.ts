import type { LogPage } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { firstProblem } from './first-problem.js';
import { createLogStore } from './log-store.js';

const ERROR = 'not ok 3 thp_alias';
const WARNING = '[ 1.0] WARNING: CPU: 1 PID: 4 at mm/memremap.c:412 memremap_pages+0x1b2/0x5f0';

async function problemOf(
  texts: Record<number, string>,
  total = 30_000,
): Promise<{ found: number | null | undefined; text: string | undefined; asked: number }> {
  let asked = 0;
  const fetchLines = async (from: number, limit: number): Promise<LogPage> => {
    asked += 1;
    const lines = Array.from({ length: Math.max(0, Math.min(limit, total - from)) }, (_, at) => from + at).map(
      (seq) => ({
        seq,
        at: seq,
        text: texts[seq] ?? 'ok',
      }),
    );
    return { attemptId: '', stream: 'test', lines, total, complete: true, removedAt: null };
  };
  const store = createLogStore('test', fetchLines, total - 1);
  await new Promise<void>((resolve) => {
    store.subscribe(resolve);
    store.refresh();
  });
  const problem = await firstProblem(store, new AbortController().signal);
  return { found: problem?.line, text: problem?.text, asked };
}

it.each([
  ['the first error', { 12_000: ERROR, 25_000: ERROR }, 12_000, /^first error: line 12.001$/],
  ['an error before a warning that came earlier', { 3: WARNING, 25_000: ERROR }, 25_000, /^first error: line 25.001$/],
  ['a warning when there is no error', { 7: WARNING, 9: WARNING }, 7, /^first warning: line 8, no error$/],
  ['nothing when nothing is wrong', {}, null, /^$/],
])('is %s', async (_, texts: Record<number, string>, line, said) => {
  const { found, text } = await problemOf(texts);
  expect(found).toBe(line);
  expect(text).toMatch(said);
});
it('does not read a log of a million lines to its end, and says so', async () => {
  const { found, text, asked } = await problemOf({ 999_000: ERROR }, 1_000_000);
  expect(found).toBeNull();
  expect(text).toMatch(/^no error in the first 50.000 lines, n looks at all$/);
  expect(asked).toBeLessThan(8);
});
