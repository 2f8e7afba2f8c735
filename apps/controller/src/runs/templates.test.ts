import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TemplateFolder } from './templates.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'templates-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('a folder that does not exist has no templates', async () => {
  expect(await new TemplateFolder(join(folder, 'absent')).list()).toEqual([]);
});

it('what cannot be read is an error, and not a folder without templates', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expect(new TemplateFolder(file).list()).rejects.toMatchObject({ code: 'ENOTDIR' });
  const broken = join(folder, 'broken');
  await mkdir(join(broken, 'a-folder.yaml'), { recursive: true });
  await expect(new TemplateFolder(broken).list()).rejects.toMatchObject({ code: 'EISDIR' });
});
