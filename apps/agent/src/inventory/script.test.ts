import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseInventory } from './parse.js';
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
    replaceProgram('lspci', 'echo "$*"');
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
      '@names',
    ]);
    expect(stdout).toMatch(/@names\n-D -mm\n$/);
    // Whatever this computer is, the parser takes it.
    expect(parseInventory(stdout).functions.length).toBe(readdirSync('/sys/bus/pci/devices').length);
  });

  it('needs no lspci, and no more of one that fails', () => {
    for (const name of ['cat', 'uname', 'head', 'od', 'tr', 'grep', 'sed', 'awk', 'timeout']) {
      const path = spawnSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
      symlinkSync(path, join(folder, name));
    }
    const bare = spawnSync('/bin/sh', ['-c', INVENTORY_COMMAND], { env: { PATH: folder }, encoding: 'utf8' });
    expect({ status: bare.status, stderr: bare.stderr }).toEqual({ status: 0, stderr: '' });
    expect(bare.stdout).toMatch(/@names\n$/);
    replaceProgram('lspci', 'echo half; exit 1');
    expect(run().status).toBe(0);
  });

  it.each([
    ['od', 'exit 1', '/sys/kernel/notes cannot be read'],
    ['od', 'case "$*" in */config) exit 1 ;; esac; exec /usr/bin/od "$@"', '/config cannot be read'],
    ['grep', 'exit 2', '/proc/cpuinfo names no processor'],
  ])('fails when %s fails, and names what is missing', (name, body, problem) => {
    replaceProgram(name, body);
    const { status, stderr } = run();
    expect(status).toBe(1);
    expect(stderr).toContain(problem);
  });
});
