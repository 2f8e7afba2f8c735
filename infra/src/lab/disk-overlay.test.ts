import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFreshOverlay, readDiskState } from './disk-overlay.js';
import { machinePaths } from './paths.js';

let folder = '';
let paths = machinePaths('', 'v');
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-overlay-'));
  paths = {
    ...machinePaths(folder, 'v'),
    disk: join(folder, 'disk.raw'),
    overlay: join(folder, 'overlay.qcow2'),
    diskState: join(folder, 'disk.state'),
  };
  await writeFile(paths.disk, 'what the lab put there', { mode: 0o444 });
  await truncate(paths.disk, 1 << 20);
});
afterEach(async () => rm(folder, { recursive: true }));

const qemuIo = (command: string): string =>
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', command, paths.overlay]).toString();

test('what a machine writes is in the overlay and goes with it; the disk below never changes', async () => {
  await makeFreshOverlay(paths);
  qemuIo('write -P 0x61 0 64k');
  expect(qemuIo('read -v 0 16')).toContain('aaaaaaaaaaaaaaaa');
  await writeFile(paths.diskState, 'discard');
  await makeFreshOverlay(paths);
  expect(qemuIo('read -v 0 16')).toContain('what.the.lab.put');
  expect((await readFile(paths.disk)).subarray(0, 22).toString()).toBe('what the lab put there');
  expect(await readDiskState(paths.diskState)).toBe('fresh');
  // As large as an empty one: making it costs no time.
  expect((await stat(paths.overlay)).size).toBeLessThan(256 << 10);
});

test('a disk that could not be made anew stays one that is to be discarded', async () => {
  await writeFile(paths.diskState, 'discard');
  await rm(paths.disk);
  await expect(makeFreshOverlay(paths)).rejects.toThrow('qemu-img failed');
  expect(await readDiskState(paths.diskState)).toBe('discard');
});

test.each([
  ['used', 'used'],
  ['discard\n', 'discard'],
  ['', 'used'],
])('the state %j reads as %s', async (text, state) => {
  await writeFile(paths.diskState, text);
  expect(await readDiskState(paths.diskState)).toBe(state);
});
