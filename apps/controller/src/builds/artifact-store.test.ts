import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactStore } from './artifact-store.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'artifacts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const content = Buffer.alloc(1000, 'x');
const sha256 = createHash('sha256').update(content).digest('hex');
const left = (): string[] =>
  ['incoming', join('sha256', sha256.slice(0, 2))].flatMap((name) =>
    existsSync(join(folder, name)) ? readdirSync(join(folder, name)) : [],
  );

describe('an upload', () => {
  it('ends when its sender stops, and leaves nothing behind', async () => {
    const store = new ArtifactStore(folder, 1000, 50);
    const upload = new PassThrough();
    upload.write(content.subarray(0, 500));
    await expect(store.put(sha256, upload)).rejects.toMatchObject({ status: 408, code: 'upload-stalled' });
    expect(upload.destroyed).toBe(true);
    expect(left()).toEqual([]);
  });

  it('ends at the first byte too many, however much is still to come', async () => {
    const store = new ArtifactStore(folder, 1000);
    let sentBytes = 0;
    const endless = new Readable({
      read() {
        sentBytes += 600;
        this.push(Buffer.alloc(600));
      },
    });
    await expect(store.put(sha256, endless)).rejects.toMatchObject({ status: 413 });
    expect(endless.destroyed).toBe(true);
    // What the streams' buffers take.
    expect(sentBytes).toBeLessThan(1_000_000);
    expect(left()).toEqual([]);
  });

  it('leaves nothing when its first piece is too large, which may be known before the file is open', async () => {
    const store = new ArtifactStore(folder, 1000);
    const tries = Array.from({ length: 300 }, () => store.put(sha256, Readable.from([Buffer.alloc(2000)])));
    for (const ended of await Promise.allSettled(tries)) {
      expect(ended).toMatchObject({ status: 'rejected', reason: { status: 413 } });
    }
    expect(left()).toEqual([]);
  });

  it('of the right size and digest is stored', async () => {
    expect(await new ArtifactStore(folder, 1000, 50).put(sha256, Readable.from([content]))).toBe(1000);
    expect(left()).toEqual([sha256]);
  });
});

describe('the folder', () => {
  const modeOf = (path: string): number => statSync(path).mode & 0o7777;

  it('of an older version is shut for other accounts at the start, and with it what was stored in it', async () => {
    const stored = join(folder, 'sha256', sha256.slice(0, 2));
    mkdirSync(stored, { recursive: true, mode: 0o755 });
    writeFileSync(join(stored, sha256), content, { mode: 0o644 });
    chmodSync(folder, 0o2775);
    await new ArtifactStore(folder, 1000).prepare();
    // What the group has, such as a backup's account, stays.
    expect(modeOf(folder)).toBe(0o2770);
    expect(await new ArtifactStore(folder, 1000).has(sha256)).toBe(true);
  });

  it('is made for this account and its group', async () => {
    await new ArtifactStore(join(folder, 'new'), 1000).prepare();
    expect(modeOf(join(folder, 'new'))).toBe(0o750);
  });
});

describe('an error of the file system', () => {
  // A file where a folder is expected: an error for root, too, whom permissions do not stop.
  const block = (path: string): void => writeFileSync(join(folder, path), 'not a folder');

  it('is not taken for an absent artifact', async () => {
    const store = new ArtifactStore(folder, 1000);
    expect(await store.has(sha256)).toBe(false);
    expect(await store.get(sha256)).toBeNull();
    block('sha256');
    const unreadable = { status: 500, code: 'artifact-store-unreadable', detail: expect.stringContaining('ENOTDIR') };
    await expect(store.has(sha256)).rejects.toMatchObject(unreadable);
    await expect(store.get(sha256)).rejects.toMatchObject(unreadable);
  });

  it('is told before the answer begins', async () => {
    const stored = join(folder, 'sha256', sha256.slice(0, 2));
    mkdirSync(stored, { recursive: true });
    // A link to itself: it exists, and cannot be opened.
    symlinkSync(sha256, join(stored, sha256));
    await expect(new ArtifactStore(folder, 1000).get(sha256)).rejects.toMatchObject({
      detail: expect.stringContaining('ELOOP'),
    });
  });

  it('ends the listing of what is stored and of what uploads left', async () => {
    const store = new ArtifactStore(folder, 1000);
    const listed = async (): Promise<number> => {
      let count = 0;
      for await (const _ of store.storedBefore(new Date())) count += 1;
      return count;
    };
    expect(await listed()).toBe(0);
    await store.removeIncoming(new Date());
    block('sha256');
    block('incoming');
    await expect(listed()).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(store.removeIncoming(new Date())).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
