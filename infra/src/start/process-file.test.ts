import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { rememberedProcess, rememberProcess } from './process-file.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'peerlab-process-'))));
afterEach(async () => rm(folder, { recursive: true }));

it('knows its process while it runs and not after', async () => {
  const file = join(folder, 'p.json');
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  await rememberProcess(file, pid);
  expect(await rememberedProcess(file)).toBe(pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await rememberedProcess(file)).toBeNull();
});

it('is not fooled by a later process of the same number', async () => {
  const file = join(folder, 'p.json');
  await rememberProcess(file, process.pid);
  const kept = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...kept, startTime: '1' }));
  expect(await rememberedProcess(file)).toBeNull();
});
