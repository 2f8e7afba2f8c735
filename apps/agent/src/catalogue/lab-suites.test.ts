import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readLabSuites } from './lab-suites.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-suites-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const complaint = (): string => {
  try {
    return `read ${readLabSuites(folder).length}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

it('are read from a folder, by name', () => {
  put('smoke.yaml', 'name: smoke\nscript: |\n  exit 0\n');
  put('fio.yaml', 'name: fio\npackage: fio\ncommand: [fio, --version]\nneeds: {devices: [/dev/nvme0n1]}\n');
  put('README.md', 'what these are');
  expect(readLabSuites(folder).map(({ name }) => name)).toEqual(['fio', 'smoke']);
});

it('are refused with every file and field that is wrong', () => {
  put('a.yaml', 'name: a\nscript: x\nlimitSecond: 3\n');
  put('b.yaml', 'name: c\nscript: x\n');
  expect(complaint()).toMatch(/a\.yaml: limitSecond: unknown field "limitSecond"/);
  expect(complaint()).toMatch(/b\.yaml: the suite "c" has to stand in a file of that name; call the file c\.yaml/);
  rmSync(folder, { recursive: true });
  expect(complaint()).toMatch(/suitesDir: cannot be read \(ENOENT\); create the folder/);
});

it('are refused when they are too many or too large', () => {
  for (let at = 0; at < 65; at += 1) put(`s${at}.yaml`, `name: s${at}\nscript: x\n`);
  expect(complaint()).toMatch(/has 65 suites, at most 64/);
  for (let at = 0; at < 65; at += 1) rmSync(join(folder, `s${at}.yaml`));
  for (let at = 0; at < 20; at += 1) put(`s${at}.yaml`, `name: s${at}\nscript: "${'x'.repeat(60_000)}"\n`);
  expect(complaint()).toMatch(/all suites together have \d+ bytes/);
});
