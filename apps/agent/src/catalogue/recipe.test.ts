import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { driverKey, readRecipe } from './recipe.js';

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

describe('the key of a driver', () => {
  const KERNEL = { key: 'aa', develSha256: 'bb' };
  let driver: string;
  const key = (of = KERNEL): string => driverKey(folder, driver, of);
  beforeEach(() => {
    driver = join(mkdtempSync(join(tmpdir(), 'driver-')), 'toy');
    mkdirSync(driver);
    writeFileSync(join(driver, 'toy.c'), 'int x;\n');
    symlinkSync('toy.c', join(driver, 'link.c'));
  });
  afterEach(() => rmSync(dirname(driver), { recursive: true }));

  it('is the same wherever the driver lies', () => {
    const before = key();
    const copy = join(mkdtempSync(join(tmpdir(), 'driver-')), 'toy');
    cpSync(driver, copy, { recursive: true, verbatimSymlinks: true });
    expect(driverKey(folder, copy, KERNEL)).toBe(before);
    rmSync(dirname(copy), { recursive: true });
  });

  it('is another for each kernel, also where their devel parts are the same', () => {
    const keys = [KERNEL, { ...KERNEL, key: 'ac' }, { ...KERNEL, develSha256: 'bc' }].map(key);
    expect(new Set(keys).size).toBe(3);
  });

  it.each<[string, () => void]>([
    ['a file', () => writeFileSync(join(driver, 'toy.c'), 'int y;\n')],
    ['a file that becomes a program', () => chmodSync(join(driver, 'toy.c'), 0o755)],
    [
      'where a link leads',
      () => {
        rmSync(join(driver, 'link.c'));
        symlinkSync('other.c', join(driver, 'link.c'));
      },
    ],
    ['what builds it', () => writeFileSync(join(folder, 'scripts/build-driver.sh'), 'exit\n')],
  ])('changes with %s', (_, change) => {
    const before = key();
    change();
    expect(key()).not.toBe(before);
  });
});
