import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sampleManifest } from '../testing/samples.js';
import { tarHeader, tarOf } from '../testing/tar.js';
import { readTarManifest } from './tar-manifest.js';

let folder: string;
let tar: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tar-'));
  tar = join(folder, 'bundle.tar');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const manifest = sampleManifest('packed');
const text = JSON.stringify(manifest);

it.each([['manifest.json', 'suites/a'], ['suites/a', 'manifest.json'], ['.']])(
  'finds the manifest in what tar packs: %s %s',
  async (...names) => {
    const root = join(folder, 'root');
    mkdirSync(join(root, 'suites'), { recursive: true });
    writeFileSync(join(root, 'manifest.json'), text);
    writeFileSync(join(root, 'suites/a'), 'x'.repeat(5000));
    execFileSync('tar', ['-cf', tar, '-C', root, '--format=ustar', ...names]);
    expect(await readTarManifest(tar)).toEqual({ manifest });
  },
);

it.each<[string, Buffer | (() => Buffer), RegExp]>([
  ['nothing', Buffer.alloc(0), /no manifest\.json/],
  ['no tar', Buffer.alloc(2000, 'x'), /no valid tar entry/],
  ['a tar without it', tarOf([['vmlinuz', 'x']]), /no manifest\.json/],
  ['it in a folder only', tarOf([['a/manifest.json', text]]), /no manifest\.json/],
  [
    'it twice',
    tarOf([
      ['manifest.json', text],
      ['./manifest.json', '{}'],
    ]),
    /twice/,
  ],
  ['no JSON', tarOf([['manifest.json', '{']]), /not JSON/],
  ['no manifest', tarOf([['manifest.json', '{}']]), /manifest\.json in the tar: schema/],
  ['a file that is cut off', tarOf([['manifest.json', text]]).subarray(0, 600), /ends in the middle/],
  [
    'a size of its own making',
    Buffer.concat([tarHeader('manifest.json', 8 ** 11 - 1), Buffer.alloc(512)]),
    /in the middle/,
  ],
  [
    'a symbolic link',
    Buffer.concat([tarHeader('suites', 0, '2'), tarOf([['manifest.json', text]])]),
    /not a plain file/,
  ],
  ['an entry that renames the next', Buffer.concat([tarHeader('x', 0, 'x'), tarOf([['a', text]])]), /not a plain file/],
  ['entries without end', Buffer.concat(Array.from({ length: 5000 }, () => tarHeader('a', 0))), /more than 4096/],
])('refuses %s', async (_, content, why) => {
  writeFileSync(tar, typeof content === 'function' ? content() : content);
  expect(await readTarManifest(tar)).toEqual({ problem: expect.stringMatching(why) });
});

it('reads a tar packed with a link in it no further', async () => {
  symlinkSync('/etc', join(folder, 'suites'));
  execFileSync('tar', ['-cf', tar, '-C', folder, 'suites']);
  expect(await readTarManifest(tar)).toEqual({
    problem: expect.stringContaining('suites in the tar is not a plain file'),
  });
});
