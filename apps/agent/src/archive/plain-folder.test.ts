import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveError, type FolderLimits, type PlainFolderOptions, readPlainFolder } from './index.js';

const LIMITS: FolderLimits = { entries: 6, fileBytes: 1000, totalBytes: 1500, nameBytes: 100, depth: 2 };

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'plain-'));
  folder = join(parent, 'f');
  mkdirSync(join(folder, 'suites'), { recursive: true });
  writeFileSync(join(folder, 'vmlinuz'), 'kernel');
  writeFileSync(join(folder, 'suites/a'), 'suite');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const read = (options: Partial<PlainFolderOptions> = {}) => readPlainFolder(folder, { limits: LIMITS, ...options });
const at = (name: string): string => join(folder, name);

describe('a folder from an untrusted source', () => {
  it('is told by name, size and digest', async () => {
    const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
    const { files, kept } = await read({ keep: new Map([['vmlinuz', 6]]) });
    expect(Object.fromEntries(files)).toEqual({
      vmlinuz: { sizeBytes: 6, sha256: digest('kernel') },
      'suites/a': { sizeBytes: 5, sha256: digest('suite') },
    });
    expect(kept.get('vmlinuz')?.toString()).toBe('kernel');
    expect([...kept.keys()]).toEqual(['vmlinuz']);
  });

  it.each<[string, () => void, string]>([
    ['a link to a file', () => symlinkSync('/etc/passwd', at('x')), '"x" is a symbolic link'],
    ['a link to a folder', () => symlinkSync('/etc', at('x')), '"x" is a symbolic link'],
    ['a link deeper', () => symlinkSync('vmlinuz', at('suites/x')), '"suites/x" is a symbolic link'],
    ['a link to nothing', () => symlinkSync('nowhere', at('x')), '"x" is a symbolic link'],
    ['a FIFO', () => void execFileSync('mkfifo', [at('x')]), '"x" is a FIFO'],
    ['a file with two names', () => linkSync(at('vmlinuz'), at('x')), '"vmlinuz" has several hard links'],
    ['a set-user-id file', () => chmodSync(at('vmlinuz'), 0o4755), 'set-user-id'],
    ['a sparse file', () => truncateSync(at('vmlinuz'), 2 ** 37), '"vmlinuz" has more than 1000 bytes'],
    [
      'many bytes',
      () => ['vmlinuz', 'suites/a'].forEach((name) => truncateSync(at(name), 900)),
      'more than 1500 bytes together',
    ],
    [
      'many names',
      () => Array.from({ length: 9 }, (_, index) => writeFileSync(at(`suites/${index}`), '')),
      'more than 6 files and folders',
    ],
    ['a deep folder', () => mkdirSync(at('suites/b/c'), { recursive: true }), 'more than 2 folders deep'],
    ['a line feed in a name', () => writeFileSync(at('a\nb'), ''), 'control or formatting character'],
  ])('is refused with %s', async (_, spoil, why) => {
    spoil();
    const failed: unknown = await read().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ArchiveError);
    expect(String(failed)).toContain(why);
  });

  it('is refused with a socket', async () => {
    const server = createServer().listen(at('x'));
    await once(server, 'listening');
    await expect(read()).rejects.toThrow('"x" is a socket');
    server.close();
  });

  it('is refused when it is a link itself', async () => {
    renameSync(folder, `${folder}.moved`);
    symlinkSync(`${folder}.moved`, folder);
    await expect(read()).rejects.toThrow(ArchiveError);
  });

  it('is refused for what the caller does not want, before that is opened', async () => {
    const refuse = (name: string, kind: string): string | null => (name === 'vmlinuz' ? `no ${kind} ${name}` : null);
    await expect(read({ refuse })).rejects.toThrow('no file vmlinuz');
    await expect(read({ keep: new Map([['vmlinuz', 5]]) })).rejects.toThrow('"vmlinuz" has more than 5 bytes');
  });
});
