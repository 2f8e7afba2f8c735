import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  base256,
  longName,
  paxHeader,
  TAR_END,
  type TarFields,
  tarEntry,
  tarFolder,
  tarHeader,
  tarOf,
} from '../fake/tar-bytes.js';
import { type ArchiveLimits, readArchive } from './index.js';

const LIMITS: ArchiveLimits = { entries: 50, fileBytes: 10_000, totalBytes: 20_000, nameBytes: 200, depth: 6 };

/** All entries with their content; bytes arrive in chunks of a size that fits no block. */
async function read(archive: Buffer, limits = LIMITS, chunkBytes = 700): Promise<Record<string, string>> {
  const chunks = Array.from({ length: Math.ceil(archive.length / chunkBytes) }, (_, index) =>
    archive.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
  const found: Record<string, string> = {};
  for await (const entry of readArchive(Readable.from(chunks), limits)) {
    const parts: Buffer[] = [];
    for await (const part of entry.content()) parts.push(part);
    found[entry.name] = entry.kind === 'folder' ? 'folder' : Buffer.concat(parts).toString();
  }
  return found;
}

const file = (fields: TarFields = {}, content = 'x'): Buffer => tarOf(tarEntry(fields, content));

describe('an archive of plain files and folders', () => {
  it('is read, whatever the chunks that it comes in', async () => {
    const archive = tarOf(
      tarFolder('suites'),
      tarEntry({ name: 'suites/a' }, 'a'.repeat(1500)),
      tarEntry({ name: 'b' }),
    );
    for (const chunkBytes of [1, 511, 512, 513, 100_000]) {
      expect(await read(archive, LIMITS, chunkBytes)).toEqual({
        suites: 'folder',
        'suites/a': 'a'.repeat(1500),
        b: '',
      });
    }
    expect(await read(tarOf(tarEntry({ name: 'b', prefix: 'a' }, 'x')))).toEqual({ 'a/b': 'x' });
    expect(await read(tarOf(paxHeader({ path: 'long/ä', mtime: '1.5', size: '1' }), tarEntry({}, 'x')))).toEqual({
      'long/ä': 'x',
    });
    expect(await read(tarOf(longName(`a/${'b'.repeat(120)}`), tarEntry({}, 'x')))).toEqual({
      [`a/${'b'.repeat(120)}`]: 'x',
    });
    expect(await read(tarOf(paxHeader({ comment: 'a commit' }, 'g'), tarEntry({ name: 'c' })))).toEqual({ c: '' });
    // As modules of the kernel are called.
    expect(await read(tarOf(tarEntry({ name: 'xt_DSCP.ko' }), tarEntry({ name: 'xt_dscp.ko' })))).toEqual({
      'xt_DSCP.ko': '',
      'xt_dscp.ko': '',
    });
    expect(await read(tarOf())).toEqual({});
  });

  it.each(['ustar', 'gnu', 'pax'])('is read as GNU tar writes it in the %s format', async (format) => {
    const folder = mkdtempSync(join(tmpdir(), 'tar-'));
    try {
      const long = `suites/${'n'.repeat(90)}/${'m'.repeat(60)}`;
      mkdirSync(join(folder, long, '..'), { recursive: true });
      writeFileSync(join(folder, long), 'long');
      writeFileSync(join(folder, 'vmlinuz'), 'kernel');
      const tar = join(folder, 'x.tar');
      const args = ['-cf', tar, `--format=${format}`, '-C', folder, 'vmlinuz', 'suites'];
      expect(spawnSync('tar', args).status).toBe(0);
      expect(await read(readFileSync(tar))).toMatchObject({ vmlinuz: 'kernel', suites: 'folder', [long]: 'long' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('an archive is refused', () => {
  const huge = base256(200n * 2n ** 30n);
  it.each<[string, Buffer, string]>([
    ['with a hard link', file({ type: '1', link: '/etc/shadow' }, ''), 'is a hard link'],
    ['with a symbolic link', file({ type: '2', link: '/etc' }, ''), 'is a symbolic link'],
    ['with a character device', file({ type: '3' }, ''), 'is a character device'],
    ['with a block device', file({ type: '4' }, ''), 'is a block device'],
    ['with a FIFO', file({ type: '6' }, ''), 'is a FIFO'],
    ['with a sparse file of GNU tar', file({ type: 'S', size: huge, magic: 'ustar  \0' }), 'is a sparse file'],
    ['with a sparse map in a plain header', file({ magic: 'ustar  \0', prefix: 'map' }), 'incremental or sparse'],
    ['with a long link target', file({ type: 'K', magic: 'ustar  \0' }, 'x\0'), 'a long link target'],
    ['with an unknown type', file({ type: 'Q' }), 'unknown type'],
    ['with a link target on a plain file', file({ link: '/etc/passwd' }), 'has a link target'],
    ['with an absolute name', file({ name: '/etc/x' }), 'has an absolute name'],
    ['with an absolute prefix', file({ prefix: '/etc', name: 'x' }), 'has an absolute name'],
    ['with ..', file({ name: 'a/../../x' }), 'component ".."'],
    ['with .', file({ name: './x' }), 'component "."'],
    ['with an empty component', file({ name: 'a//x' }), 'empty component'],
    ['with a file that is called like a folder', file({ name: 'a/' }), 'empty component'],
    ['with no name', file({ name: '' }), 'empty name'],
    ['with a line feed in a name', file({ name: 'a\nb' }), 'control or formatting character'],
    ['with a direction override in a name', file({ name: 'a\u202eb' }), 'control or formatting character'],
    ['with a backslash in a name', file({ name: 'a\\b' }), 'has a backslash'],
    ['with a name that is not UTF-8', file({ name: Buffer.from([0x61, 0xff]) }), 'is not UTF-8'],
    ['with bytes behind the name', file({ name: Buffer.from('a\0../b') }), 'bytes behind the end of its name'],
    ['with a name that is too long', tarOf(longName('n'.repeat(201)), tarEntry({})), 'more than 200 bytes'],
    ['with a name that is too deep', file({ name: 'a/a/a/a/a/a/a' }), 'more than 6 folders deep'],
    ['with the same name twice', tarOf(tarEntry({ name: 'a' }), tarEntry({ name: 'a' })), 'occurs twice'],
    ['with the same folder twice', tarOf(tarFolder('a'), tarFolder('a')), 'occurs twice'],
    [
      'with a file below a file',
      tarOf(tarEntry({ name: 'a' }), tarEntry({ name: 'A/b' })),
      'below a name that is a file',
    ],
    ['with a file in place of a folder', tarOf(tarEntry({ name: 'a/b' }), tarEntry({ name: 'A' })), 'has a folder'],
    ['with a folder in place of a file', tarOf(tarEntry({ name: 'a' }), tarFolder('A')), 'has a file'],
    ['with a set-user-id bit', file({ mode: '0004755\0' }), 'set-user-id'],
    ['with a set-group-id bit', file({ mode: '0002755\0' }), 'set-user-id'],
    ['with a sticky bit', file({ mode: '0001755\0' }), 'sticky'],
    ['with a world-writable file', file({ mode: '0000666\0' }), 'world-writable'],
    ['with a mode beyond permissions', file({ mode: '0100644\0' }), 'no permissions'],
    ['with a mode that is no number', file({ mode: '000x644\0' }), 'mode that is no octal number'],
    ['with a size that is no number', tarOf(tarHeader({ size: '0000000000x\0' })), 'no octal number'],
    ['with a negative size', tarOf(tarHeader({ size: base256(-1n) })), 'negative size'],
    ['with a size beyond all numbers', tarOf(tarHeader({ size: base256(2n ** 87n) })), 'more than 10000 bytes'],
    ['with a file above the limit', tarOf(tarHeader({ size: huge })), 'more than 10000 bytes'],
    ['with a folder that has content', tarOf(tarEntry({ type: '5', name: 'a/' }, 'x')), 'folder with content'],
    ['with a wrong checksum', file({ checksum: '0000000\0' }), 'wrong checksum'],
    ['with a wrong checksum later', tarOf(tarEntry({}), tarEntry({ name: 'b', checksum: '0\0' })), 'wrong checksum'],
    ['of the oldest format', file({ magic: '' }), 'no header of the ustar or GNU format'],
    ['with bytes behind the fields', file({ patch: (block) => block.write('x', 505) }), "behind its header's fields"],
    ['that is compressed', gzipSync(file()), 'it is compressed (gzip)'],
    ['that is text', Buffer.from('hello '.repeat(200)), 'it is no tar archive'],
  ])('%s', async (_, archive, why) => {
    await expect(read(archive)).rejects.toThrow(why);
  });

  it.each<[string, Buffer, string]>([
    ['that gives another name, outside', tarOf(paxHeader({ path: '/etc/passwd' }), tarEntry({}, 'x')), 'absolute'],
    ['that gives another name, with a NUL', tarOf(paxHeader({ path: 'a\0b' }), tarEntry({}, 'x')), 'control'],
    ['that gives another size', tarOf(paxHeader({ size: '600' }), tarEntry({}, 'x')), 'two different sizes'],
    ['with a size that is no number', tarOf(paxHeader({ size: '-1' }), tarEntry({})), 'no number'],
    ['with a sparse map', tarOf(paxHeader({ 'GNU.sparse.size': '9' }), tarEntry({}, 'x')), 'sparse file'],
    ['with a link', tarOf(paxHeader({ linkpath: '/etc' }), tarEntry({}, 'x')), 'record "linkpath"'],
    ['with another character set', tarOf(paxHeader({ hdrcharset: 'BINARY' }), tarEntry({})), 'record "hdrcharset"'],
    ['with the same record twice', tarOf(tarEntry({ type: 'x' }, '8 uid=0\n8 uid=1\n'), tarEntry({})), 'two records'],
    ['that is malformed', tarOf(tarEntry({ type: 'x' }, '99 path=a\n'), tarEntry({})), 'malformed'],
    ['without a length', tarOf(tarEntry({ type: 'x' }, 'path=a\n'), tarEntry({})), 'malformed'],
    ['that is huge', tarOf(paxHeader({ comment: 'x'.repeat(9000) }), tarEntry({})), 'more than 8192 bytes'],
    ['that says it is huge', tarOf(tarHeader({ type: 'x', size: base256(2n ** 40n) })), 'more than 8192 bytes'],
    [
      'for all entries',
      tarOf(paxHeader({ path: '/etc/x' }, 'g'), tarEntry({})),
      'global pax header has the record "path"',
    ],
    ['twice', tarOf(paxHeader({ path: 'a' }), paxHeader({ path: 'b' }), tarEntry({})), 'several extended headers'],
    ['and a long name', tarOf(paxHeader({ path: 'a' }), longName('b'), tarEntry({})), 'several extended headers'],
    ['for nothing', tarOf(paxHeader({ path: 'a' })), 'ends behind an extended header'],
  ])('for a pax header %s', async (_, archive, why) => {
    await expect(read(archive)).rejects.toThrow(why);
  });

  it('that is cut off anywhere, and with data behind its end', async () => {
    const whole = tarOf(paxHeader({ path: 'a' }), tarEntry({}, 'x'.repeat(600)));
    expect(await read(whole)).toEqual({ a: 'x'.repeat(600) });
    for (let length = 0; length < whole.length; length += 128) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrow(/cut off|no tar archive/);
    }
    for (const rest of [Buffer.from('x'), tarEntry({ name: 'b' }), Buffer.alloc(20_000)]) {
      await expect(read(Buffer.concat([whole, rest]))).rejects.toThrow('data behind its end mark');
    }
    await expect(read(Buffer.concat([tarEntry({}), Buffer.alloc(512), tarEntry({})]))).rejects.toThrow('data behind');
    expect(await read(Buffer.concat([whole, Buffer.alloc(8192)]))).toEqual({ a: 'x'.repeat(600) });
  });

  it('above the number of entries or of bytes, without reading on', async () => {
    let blocks = 0;
    async function* endless(make: (index: number) => Buffer): AsyncGenerator<Buffer> {
      for (let index = 0; index < 10_000_000; index += 1) {
        blocks += 1;
        yield make(index);
      }
      yield TAR_END;
    }
    const drain = async (make: (index: number) => Buffer): Promise<void> => {
      for await (const entry of readArchive(endless(make), LIMITS)) void entry;
    };
    await expect(drain((index) => tarEntry({ name: `f${index}` }))).rejects.toThrow('more than 50 entries');
    expect(blocks).toBe(51);
    blocks = 0;
    await expect(drain((index) => tarEntry({ name: `f${index}` }, 'x'.repeat(6000)))).rejects.toThrow(
      'unpacks to more than 20000 bytes',
    );
    expect(blocks).toBe(4);
    // One endless run of headers that announce nothing.
    blocks = 0;
    await expect(drain(() => paxHeader({ comment: 'c' }, 'g'))).rejects.toThrow('several extended headers');
    expect(blocks).toBe(2);
  });
});
