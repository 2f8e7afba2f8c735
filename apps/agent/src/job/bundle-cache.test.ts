import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BundleManifest } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeBundle } from '../fake/fake-bundle.js';
import { base256, tarEntry, tarHeader, tarOf } from '../fake/tar-bytes.js';
import type { Artifacts } from './artifacts.js';
import { BundleCache } from './bundle-cache.js';
import { JobFailure } from './failure.js';

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let manifest: BundleManifest;
/** Files of the bundle by name, the manifest first. */
let files: Map<string, Buffer>;
let stored: Buffer;
let downloads: { maxBytes: number | undefined }[];
let cache: BundleCache;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cache-'));
  const bundle = await makeFakeBundle(folder, [{ name: 'p2p-functional' }]);
  ({ manifest } = bundle);
  files = new Map(
    ['manifest.json', ...Object.keys(manifest.files)].map((name) => [name, readFileSync(join(folder, 'bundle', name))]),
  );
  stored = readFileSync(bundle.tar);
  downloads = [];
  const artifacts: Pick<Artifacts, 'download'> = {
    async download(_digest, path, _signal, maxBytes) {
      downloads.push({ maxBytes });
      writeFileSync(path, stored);
    },
  };
  cache = new BundleCache(join(folder, 'cache'), {
    ...artifacts,
    upload: () => Promise.reject(new Error('nothing is uploaded')),
    findBundle: () => Promise.resolve(null),
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The bundle's files as an archive, some replaced or left out. */
function pack(change: Readonly<Record<string, Buffer | null>> = {}, ...more: Buffer[]): Buffer {
  const entries = [...files].map(([name, content]) => {
    const changed = change[name];
    return changed === null ? Buffer.alloc(0) : (changed ?? tarEntry({ name }, content));
  });
  return tarOf(...entries, ...more);
}

const fetchStored = (named = manifest): Promise<string> => cache.fetch(sha256(stored), named);
const failureOf = (named = manifest): Promise<unknown> => fetchStored(named).catch((error: unknown) => error);
/** What lies in the cache's folder. */
const left = (): string[] => readdirSync(join(folder, 'cache'));

describe('a bundle in the cache', () => {
  it('is unpacked once, whole, and by one download for all who wait', async () => {
    const [first, second] = await Promise.all([fetchStored(), fetchStored()]);
    expect(second).toBe(first);
    for (const [name, content] of files) expect(readFileSync(join(first, name)).equals(content)).toBe(true);
    await fetchStored();
    expect(downloads).toHaveLength(1);
    // No more than the manifest's files need.
    expect(downloads[0]?.maxBytes).toBeLessThan(stored.length + 3 * 1024 * 1024);
    expect(left()).toEqual([sha256(stored)]);
  });

  it('is made anew when it is damaged, or when another version left links in it', async () => {
    const path = await fetchStored();
    writeFileSync(join(path, 'vmlinuz'), 'damaged');
    await fetchStored();
    expect(readFileSync(join(path, 'vmlinuz')).equals(files.get('vmlinuz') ?? Buffer.alloc(0))).toBe(true);
    // The digests agree, but the folder leads out of the cache.
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const suite = 'suites/p2p-functional';
    writeFileSync(join(outside, 'p2p-functional'), files.get(suite) ?? '');
    rmSync(join(path, 'suites'), { recursive: true });
    symlinkSync(outside, join(path, 'suites'));
    await fetchStored();
    expect(downloads).toHaveLength(3);
    expect(
      readdirSync(path, { withFileTypes: true })
        .find(({ name }) => name === 'suites')
        ?.isDirectory(),
    ).toBe(true);
    expect(existsSync(join(outside, 'p2p-functional'))).toBe(true);
  });

  it('stays for its own job when another one names it with a wrong manifest', async () => {
    const path = await fetchStored();
    const other = structuredClone(manifest);
    other.files['vmlinuz'] = { sha256: 'f'.repeat(64), sizeBytes: 700_000 };
    expect(await failureOf(other)).toBeInstanceOf(JobFailure);
    expect(existsSync(join(path, 'vmlinuz'))).toBe(true);
  });
});

describe('a bundle is refused', () => {
  it('that reads files of the agent through a folder that is a link, without telling their digest', async () => {
    const secret = join(folder, 'secret');
    mkdirSync(secret);
    writeFileSync(join(secret, 'token'), 'plk_agent_secret');
    const named = structuredClone(manifest);
    named.files['suites/token'] = { sha256: 'a'.repeat(64), sizeBytes: 16 };
    for (const digest of ['a'.repeat(64), sha256('plk_agent_secret')]) {
      named.files['suites/token'] = { sha256: digest, sizeBytes: 16 };
      const json = tarEntry({ name: 'manifest.json' }, JSON.stringify(named));
      const link = tarHeader({ name: 'suites', type: '2', link: secret });
      stored = pack({ 'manifest.json': json, 'suites/p2p-functional': link });
      const failed = await failureOf(named);
      expect(failed).toMatchObject({
        failureClass: 'request',
        message: expect.stringContaining('"suites" is a symbolic link'),
      });
      expect(String(failed)).not.toContain(sha256('plk_agent_secret'));
      expect(left()).toEqual([]);
    }
  });

  it('whose file has another digest, without telling the true one', async () => {
    const other = Buffer.alloc(5_000, 'x');
    stored = pack({ 'suites/p2p-functional': tarEntry({ name: 'suites/p2p-functional' }, other) });
    const failed = await failureOf();
    expect(failed).toMatchObject({ message: expect.stringContaining('has another digest than expected') });
    expect(String(failed)).not.toContain(sha256(other));
    expect(String(failed)).not.toContain(manifest.files['suites/p2p-functional']?.sha256);
  });

  it.each<[string, () => Buffer, string]>([
    ['a sparse file', () => pack({}, tarHeader({ name: 'x', type: 'S', size: base256(200n << 30n) })), 'sparse file'],
    ['a device', () => pack({}, tarHeader({ name: 'x', type: '3' })), 'character device'],
    ['an unnamed file', () => pack({}, tarEntry({ name: 'x' }, 'x')), 'not expected'],
    ['a missing file', () => pack({ vmlinuz: null }), 'file "vmlinuz" is missing'],
    ['no manifest', () => pack({ 'manifest.json': null }), 'file "manifest.json" is missing'],
    ['a larger file', () => pack({ vmlinuz: tarEntry({ name: 'vmlinuz' }, Buffer.alloc(700_001)) }), 'larger'],
    [
      'another manifest',
      () => pack({ 'manifest.json': tarEntry({ name: 'manifest.json' }, '{}') }),
      'not the manifest',
    ],
    ['no JSON', () => pack({ 'manifest.json': tarEntry({ name: 'manifest.json' }, '{') }), 'not the manifest'],
    ['compression', () => gzipSync(pack()), 'compressed (gzip)'],
    ['a cut-off end', () => pack().subarray(0, 100_000), 'cut off'],
  ])('with %s, and leaves nothing behind', async (_, make, why) => {
    stored = make();
    expect(await failureOf()).toMatchObject({ failureClass: 'request', message: expect.stringContaining(why) });
    expect(left()).toEqual([]);
  });

  it.each<[string, Partial<BundleManifest>, string]>([
    ['a path outside', { files: { '../../x': { sha256: 'a'.repeat(64), sizeBytes: 1 } } }, 'no clean path'],
    ['a huge file', { files: { vmlinuz: { sha256: 'a'.repeat(64), sizeBytes: 2 ** 40 } } }, 'bytes at most'],
    ['a release that leads elsewhere', { release: '../../etc' }, 'no name of a folder'],
  ])('whose manifest names %s, before anything is downloaded', async (_, change, why) => {
    const failed = await failureOf({ ...manifest, ...change });
    expect(failed).toMatchObject({ failureClass: 'request', message: expect.stringContaining(why) });
    expect(downloads).toEqual([]);
  });
});
