import { cpSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRecipe } from './recipe.js';

const kernel = fileURLToPath(new URL('../../../../kernel', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recipe-'));
  for (const part of ['config', 'module', 'scripts', 'selftests', 'base.json', 'README.md']) {
    cpSync(join(kernel, part), join(folder, part), { recursive: true });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the recipe of a kernel/ folder', () => {
  it('is the same for a copy, whatever its times and its texts for people', () => {
    const before = readRecipe(folder);
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(readRecipe(kernel)).toBe(before);
    utimesSync(join(folder, 'base.json'), 1, 1);
    writeFileSync(join(folder, 'README.md'), 'anything');
    expect(readRecipe(folder)).toBe(before);
  });

  it.each(['module/Kbuild', 'selftests/suites.json', 'config/debug.config', 'scripts/build-bundle.sh', 'base.json'])(
    'changes with %s',
    (file) => {
      const before = readRecipe(folder);
      const path = join(folder, file);
      const text = readFileSync(path);
      writeFileSync(path, Buffer.concat([text, Buffer.from('\n')]));
      expect(readRecipe(folder)).not.toBe(before);
      writeFileSync(path, text);
      expect(readRecipe(folder)).toBe(before);
    },
  );

  it('is not read of a folder that is none', () => {
    expect(() => readRecipe(join(folder, 'module'))).toThrow(/ENOENT/);
  });
});
