import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasLoginPrompt, logLength } from './console-log.js';

let folder = '';
let log = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-console-'));
  log = join(folder, 'console.log');
});
afterEach(async () => rm(folder, { recursive: true }));

test('sees only the prompt of the boot that began at the offset', async () => {
  expect(await hasLoginPrompt(log, 0)).toBe(false);
  await writeFile(log, 'Debian GNU/Linux 12 v-switch ttyS0\r\n\r\nv-switch login: ');
  expect(await hasLoginPrompt(log, 0)).toBe(true);
  const reset = await logLength(log);
  expect(await hasLoginPrompt(log, reset)).toBe(false);
  await appendFile(log, 'peerlab-grub: booting peerlab-default\r\nv-switch log');
  expect(await hasLoginPrompt(log, reset)).toBe(false);
  await appendFile(log, 'in: ');
  expect(await hasLoginPrompt(log, reset)).toBe(true);
});

test('starts over when the log was begun anew', async () => {
  await writeFile(log, 'v-switch login: ');
  expect(await hasLoginPrompt(log, 1_000_000)).toBe(true);
});

test('finds the prompt behind a flood of console output', async () => {
  await writeFile(log, Buffer.alloc(9 << 20, 'x'));
  await appendFile(log, 'v-switch login: ');
  expect(await hasLoginPrompt(log, 0)).toBe(true);
});
