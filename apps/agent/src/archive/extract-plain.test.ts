import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  base256,
  longName,
  mendChecksums,
  paxHeader,
  tarEntry,
  tarFolder,
  tarHeader,
  tarOf,
} from '../fake/tar-bytes.js';
import { ArchiveError, type ArchiveLimits, type ExpectedFile, extractPlain } from './index.js';

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');
const exactly = (content: string, more: { executable?: boolean } = {}): ExpectedFile => ({
  sizeBytes: content.length,
  sha256: sha256(content),
  ...more,
});
const LIMITS: ArchiveLimits = { entries: 20, fileBytes: 5_000, totalBytes: 8_000, nameBytes: 100, depth: 4 };

const KERNEL = 'kernel'.repeat(200);
const EXPECTED = new Map<string, ExpectedFile>([
  ['manifest.json', { maxBytes: 100 }],
  ['vmlinuz', exactly(KERNEL)],
  ['suites/a', exactly('suite', { executable: true })],
]);
const GOOD = [
  tarEntry({ name: 'manifest.json' }, '{}'),
  tarEntry({ name: 'vmlinuz', mode: '0000400\0' }, KERNEL),
  tarFolder('suites'),
  tarEntry({ name: 'suites/a', mode: '0000600\0' }, 'suite'),
];

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'extract-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** Unpacks into `parent`/out. */
async function extract(archive: Buffer, expected = EXPECTED): Promise<void> {
  const tar = join(parent, 'x.tar');
  writeFileSync(tar, archive);
  try {
    await extractPlain(tar, join(parent, 'out'), expected, LIMITS);
  } finally {
    rmSync(tar);
  }
}

/** Every path below a folder with its size; links and devices would show as such. */
function treeOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const entry = lstatSync(join(folder, name));
    found[name] = entry.isDirectory() ? 'folder' : entry.isFile() ? `${entry.size}` : 'other';
  }
  return found;
}

describe('unpacking an archive', () => {
  it('writes the expected files with modes of ours', async () => {
    const before = process.umask(0o077);
    try {
      await extract(tarOf(...GOOD));
    } finally {
      process.umask(before);
    }
    const out = join(parent, 'out');
    expect(treeOf(out)).toEqual({ 'manifest.json': '2', vmlinuz: '1200', suites: 'folder', 'suites/a': '5' });
    expect(lstatSync(join(out, 'vmlinuz')).mode & 0o7777).toBe(0o644);
    expect(lstatSync(join(out, 'suites/a')).mode & 0o7777).toBe(0o755);
    expect(readFileSync(join(out, 'suites/a'), 'utf8')).toBe('suite');
  });

  const [manifest = Buffer.alloc(0), kernel = Buffer.alloc(0), , suite = Buffer.alloc(0)] = GOOD;
  const link = tarHeader({ name: 'suites', type: '2', link: '/etc' });
  it.each<[string, Buffer, string]>([
    ['a folder that is a link', tarOf(manifest, link, kernel, suite), 'entry "suites" is a symbolic link'],
    [
      'a sparse file of 200 GB',
      tarOf(...GOOD, tarHeader({ name: 'big', type: 'S', size: base256(200n << 30n) })),
      'sparse',
    ],
    ['a character device', tarOf(...GOOD, tarHeader({ name: 'null', type: '3' })), 'character device'],
    ['an unexpected file', tarOf(...GOOD, tarEntry({ name: 'more' }, 'x')), 'file "more" is not expected'],
    ['an unexpected folder', tarOf(...GOOD, tarFolder('more')), 'folder "more" is not expected'],
    ['a file in another case', tarOf(manifest, tarEntry({ name: 'VMLINUZ' }, KERNEL), suite), 'is not expected'],
    ['another content', tarOf(manifest, kernel, tarEntry({ name: 'suites/a' }, 'SUITE')), 'has another digest'],
    ['a longer file', tarOf(manifest, kernel, tarEntry({ name: 'suites/a' }, 'suites')), 'larger than expected'],
    ['a shorter file', tarOf(manifest, kernel, tarEntry({ name: 'suites/a' }, 'suit')), 'smaller than expected'],
    ['a long manifest', tarOf(tarEntry({ name: 'manifest.json' }, 'x'.repeat(101))), 'larger than expected'],
    ['a missing file', tarOf(manifest, kernel), 'file "suites/a" is missing'],
    ['the same file again', tarOf(...GOOD, kernel), 'occurs twice'],
    ['a name given by a pax header', tarOf(...GOOD, paxHeader({ path: '../x' }), tarEntry({})), 'component ".."'],
    ['a name given by a long name', tarOf(...GOOD, longName('/etc/x'), tarEntry({})), 'absolute'],
    ['the end cut off', tarOf(...GOOD).subarray(0, -1024), 'cut off'],
  ])('refuses %s, and leaves nothing behind', async (_, archive, why) => {
    const failed: unknown = await extract(archive).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ArchiveError);
    expect(String(failed)).toContain(why);
    // A digest would tell what is in a file.
    expect(String(failed)).not.toMatch(/[0-9a-f]{16}/);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('takes no folder that is there already, and no archive that is a link', async () => {
    await extract(tarOf(...GOOD));
    await expect(extract(tarOf(...GOOD))).rejects.toThrow('EEXIST');
    expect(existsSync(join(parent, 'out/vmlinuz'))).toBe(true);
    symlinkSync('/etc/passwd', join(parent, 'link'));
    await expect(extractPlain(join(parent, 'link'), join(parent, 'new'), EXPECTED, LIMITS)).rejects.toThrow(
      ArchiveError,
    );
    expect(existsSync(join(parent, 'new'))).toBe(false);
  });

  it('ends for any damage of a good archive, inside its folder and its limits', async () => {
    const good = tarOf(...GOOD);
    const edit = fc.oneof(
      fc.record({ at: fc.nat(good.length - 1), bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }) }),
      // Where a header begins, because most of the archive is content.
      fc.record({
        at: fc.tuple(fc.nat(good.length / 512 - 1), fc.nat(511)).map(([block, byte]) => block * 512 + byte),
        bytes: fc
          .constantFrom('../', '/etc/', '\0', '2', '5', 'S', 'x', 'L', '77777777777')
          .map((text) => Buffer.from(text)),
      }),
    );
    const damage = fc.record({
      edits: fc.array(edit, { maxLength: 4 }),
      cut: fc.option(fc.nat(good.length), { nil: good.length, freq: 3 }),
      /** Or every damaged header fails by its checksum alone. */
      mends: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ edits, cut, mends }) => {
        const archive = Buffer.from(good);
        for (const { at, bytes } of edits) archive.set(bytes.subarray(0, archive.length - at), at);
        if (mends) mendChecksums(archive);
        const failed: unknown = await extract(archive.subarray(0, cut)).catch((error: unknown) => error);
        if (failed === undefined) {
          expect(Object.keys(treeOf(join(parent, 'out'))).sort()).toEqual([
            'manifest.json',
            'suites',
            'suites/a',
            'vmlinuz',
          ]);
          expect(readFileSync(join(parent, 'out/vmlinuz'), 'utf8')).toBe(KERNEL);
          rmSync(join(parent, 'out'), { recursive: true });
        } else {
          expect(failed).toBeInstanceOf(ArchiveError);
        }
        expect(readdirSync(parent)).toEqual([]);
      }),
      { numRuns: 1500 },
    );
  });
});
