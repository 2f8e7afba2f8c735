import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { splitSeries } from './series-patches.js';

const KERNEL = fileURLToPath(new URL('../../../../kernel', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patches-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('gives every patch of several series, and no cover letter', async () => {
  const mutant = join(KERNEL, 'mutants', 'alias-unasked.patch');
  const signal = new AbortController().signal;
  const bundled = await splitSeries(KERNEL, join(folder, 'a'), ['bundled'], signal);
  const both = await splitSeries(KERNEL, join(folder, 'b'), ['bundled', mutant], signal);
  expect(both.size).toBe(bundled.size + 1);
  expect([...bundled.keys()].every((sha256) => both.has(sha256))).toBe(true);
  const [added] = [...both].filter(([sha256]) => !bundled.has(sha256));
  expect(readFileSync(added?.[1] ?? '', 'utf8')).toBe(readFileSync(mutant, 'utf8'));
  for (const file of bundled.values()) expect(readFileSync(file, 'utf8')).not.toMatch(/^Subject: \[PATCH 0+\/\d+\]/m);
});

it('gives none for the untouched base', async () => {
  expect((await splitSeries(KERNEL, folder, ['none'], new AbortController().signal)).size).toBe(0);
});
