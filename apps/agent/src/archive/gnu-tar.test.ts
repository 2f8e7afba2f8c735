import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { longName, mendChecksums, paxHeader, tarEntry, tarFolder, tarOf } from '../fake/tar-bytes.js';
import { ArchiveError, type ArchiveLimits, readArchive } from './index.js';

/** Hundreds of runs of tar: minutes on a computer that does something else beside them. */
vi.setConfig({ testTimeout: 180_000 });

const LIMITS: ArchiveLimits = { entries: 20, fileBytes: 5_000, totalBytes: 8_000, nameBytes: 200, depth: 5 };
const LONG = `lib/${'n'.repeat(120)}`;
const GNU = { magic: 'ustar  \0' };

/** Each kind of header that the reader takes. */
const GOOD = tarOf(
  tarFolder('lib'),
  tarEntry({ name: 'lib/a.ko', ...GNU }, 'a'.repeat(700)),
  tarEntry({ name: 'b.ko', prefix: 'lib' }, 'b'),
  longName(LONG),
  tarEntry({ name: LONG.slice(0, 100), ...GNU }, 'long'),
  paxHeader({ path: 'lib/pax', mtime: '1.5', size: '3' }),
  tarEntry({ name: 'pax' }, 'pax'),
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gnu-tar-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Names with sizes as the reader hands them out; null when it refuses. Folders above files count as entries. */
async function asRead(archive: Buffer): Promise<Record<string, number> | null> {
  const found: Record<string, number> = {};
  try {
    for await (const { name, sizeBytes, kind } of readArchive(Readable.from([archive]), LIMITS)) {
      for (let end = name.indexOf('/'); end !== -1; end = name.indexOf('/', end + 1)) found[name.slice(0, end)] = -1;
      found[name] = kind === 'folder' ? -1 : sizeBytes;
    }
    return found;
  } catch (error) {
    expect(error).toBeInstanceOf(ArchiveError);
    return null;
  }
}

/** The same, unpacked by the program and the options that a machine uses. */
function asUnpacked(archive: Buffer): Record<string, number> {
  const [tar, root] = [join(folder, 'x.tar'), join(folder, 'root')];
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  writeFileSync(tar, archive);
  spawnSync('tar', ['--no-same-owner', '--no-same-permissions', '--no-overwrite-dir', '-C', root, '-xf', tar]);
  const found: Record<string, number> = {};
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    const entry = lstatSync(join(root, name));
    found[name] = entry.isDirectory() ? -1 : entry.isFile() ? entry.size : Number.NaN;
  }
  return found;
}

it('GNU tar unpacks exactly what the reader accepts, for any damage of an archive', async () => {
  expect(await asRead(GOOD)).toEqual(asUnpacked(GOOD));
  const blocks = GOOD.length / 512;
  const edit = fc.record({
    at: fc.tuple(
      fc.nat(blocks - 1),
      fc.constantFrom(0, 4, 99, 100, 105, 124, 130, 156, 157, 257, 263, 345, 349, 476, 500),
    ),
    text: fc.constantFrom(
      'x',
      '/',
      '/x',
      '..',
      '\0',
      '0',
      '1',
      '2',
      '5',
      '7',
      'L',
      'x',
      'g',
      'S',
      'K',
      ' ',
      '\x80',
      '\xff',
      'path',
    ),
  });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const archive = Buffer.from(GOOD);
      for (const { at, text } of edits) archive.write(text, at[0] * 512 + at[1], 'latin1');
      mendChecksums(archive);
      const read = await asRead(archive);
      if (read === null) return;
      accepted += 1;
      expect(asUnpacked(archive)).toEqual(read);
    }),
    { numRuns: 800 },
  );
  // Or nothing was compared.
  expect(accepted).toBeGreaterThan(50);
});
