import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { INVENTORY_COMMAND } from './script.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inventory-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Puts a program in front of those of this computer. */
const replaceProgram = (name: string, body: string): void =>
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });

/** The inventory of this computer, whatever it is. */
const run = () =>
  spawnSync('/bin/sh', ['-c', INVENTORY_COMMAND], {
    env: { PATH: `${folder}:${process.env['PATH']}` },
    encoding: 'utf8',
  });

describe('the inventory script', () => {
  it('gives every section and succeeds', () => {
    replaceProgram('lspci', 'echo configuration');
    const { status, stdout, stderr } = run();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.match(/^@[a-z]+$/gm)).toEqual([
      '@kernel',
      '@cpu',
      '@memory',
      '@system',
      '@iommu',
      '@functions',
      '@config',
    ]);
    expect(stdout).toMatch(/@config\nconfiguration\n$/);
  });

  it.each([
    ['lspci', 'echo half; exit 1', 'lspci could not read'],
    ['od', 'exit 1', '/sys/kernel/notes cannot be read'],
    ['grep', 'exit 2', '/proc/cpuinfo names no processor'],
  ])('fails when %s fails, and names what is missing', (name, body, problem) => {
    replaceProgram('lspci', 'exit 0');
    replaceProgram(name, body);
    const { status, stderr } = run();
    expect(status).toBe(1);
    expect(stderr).toContain(problem);
  });
});
