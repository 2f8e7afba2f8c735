import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  BUNDLE_FILE_MAX_BYTES,
  BUNDLE_PATH_DEPTH,
  BUNDLE_PATH_MAX,
  BundleManifest,
  MANIFEST_FILE,
  MANIFEST_MAX_BYTES,
  whyBadBundle,
} from '@peerlab/contracts';
import {
  type ArchiveLimits,
  ArchiveError,
  type ExpectedFile,
  extractPlain,
  readPlainFolder,
} from '../archive/index.js';
import type { Artifacts } from './artifacts.js';
import { JobFailure } from './failure.js';

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Bundles kept on the agent's disk, about 20 MB each; far more than jobs that run at once. */
const KEPT_BUNDLES = 32;

/** What a tar archive adds to one file, in bytes: header, long name with its own header, padding; rounded up. */
const ENTRY_OVERHEAD_BYTES = 4096;

/** What the agent's disk says when there is no room; not the fault of the bundle. */
const DISK_FULL: readonly unknown[] = ['ENOSPC', 'EDQUOT'];

/** Bundles on the agent's disk, by digest; jobs that want the same one wait for one download. */
export class BundleCache {
  readonly #fetching = new Map<string, Promise<void>>();

  readonly #root: string;
  readonly #artifacts: Artifacts;

  constructor(root: string, artifacts: Artifacts) {
    this.#root = root;
    this.#artifacts = artifacts;
  }

  /**
   * The folder of an unpacked bundle: exactly the files that the manifest names, with their sizes and digests,
   * and the manifest itself. Throws JobFailure `request` when the archive holds anything else.
   */
  async fetch(sha256: string, manifest: BundleManifest, signal?: AbortSignal): Promise<string> {
    const problem = whyBadBundle(manifest);
    if (problem !== null) {
      throw new JobFailure(
        'request',
        `the bundle's manifest is refused at ${problem.path.join(' ')}: ${problem.message}`,
      );
    }
    const folder = join(this.#root, sha256);
    // A folder that is damaged, or that an older version unpacked with fewer checks, is unpacked again.
    if (!existsSync(folder) || (await whyUnusable(folder, manifest)) !== null) {
      // Without the caller's signal: others may wait for the same download. Who has another manifest does not:
      // it fails or passes by its own.
      const task = `${sha256} ${JSON.stringify(manifest)}`;
      let running = this.#fetching.get(task);
      if (running === undefined) {
        running = this.#unpack(sha256, manifest, folder).finally(() => this.#fetching.delete(task));
        this.#fetching.set(task, running);
      }
      await running;
    }
    const now = new Date();
    await utimes(folder, now, now);
    signal?.throwIfAborted();
    return folder;
  }

  /** Stores a file with the controller. */
  upload(sha256: string, path: string, sizeBytes: number, signal?: AbortSignal): Promise<void> {
    return this.#artifacts.upload(sha256, path, sizeBytes, signal);
  }

  /** Writes another file of the controller's store to `path`; it is not kept here. */
  download(sha256: string, path: string, maxBytes: number, signal?: AbortSignal): Promise<void> {
    return this.#artifacts.download(sha256, path, signal, maxBytes);
  }

  /** Removes the bundles that were not asked for in the longest time. */
  async #evict(): Promise<void> {
    const names = (await readdir(this.#root)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const aged = await Promise.all(
      names.map(async (name) => ({ name, usedAt: (await stat(join(this.#root, name))).mtimeMs })),
    );
    aged.sort((a, b) => b.usedAt - a.usedAt);
    for (const { name } of aged.slice(KEPT_BUNDLES)) await rm(join(this.#root, name), { recursive: true, force: true });
  }

  async #unpack(sha256: string, manifest: BundleManifest, folder: string): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    const temporary = `${folder}.${randomUUID()}`;
    const tar = `${temporary}.tar`;
    try {
      await this.#artifacts.download(sha256, tar, undefined, archiveMaxBytes(manifest));
      await extractPlain(tar, temporary, expectedFiles(manifest), limitsOf(manifest));
      if (!isSameManifest(await readFile(join(temporary, MANIFEST_FILE)), manifest)) {
        throw new ArchiveError(`its ${MANIFEST_FILE} is not the manifest that the bundle was registered with`);
      }
      await replaceFolder(temporary, folder);
      await this.#evict();
    } catch (error) {
      if (error instanceof ArchiveError) {
        throw new JobFailure(
          'request',
          `the archive of bundle ${manifest.key.slice(0, 12)}… is refused: ${error.message}; ` +
            'it has to be a plain tar of manifest.json and the files that it names',
        );
      }
      if (DISK_FULL.includes((error as NodeJS.ErrnoException).code)) {
        throw new JobFailure('infrastructure', `no room for a bundle in ${this.#root}; free space on the agent's disk`);
      }
      throw error;
    } finally {
      await rm(tar, { force: true });
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

const limitsOf = ({ files }: BundleManifest): ArchiveLimits => ({
  // Every file may come with the folders above it.
  entries: Object.keys(files).length * BUNDLE_PATH_DEPTH + 1,
  fileBytes: BUNDLE_FILE_MAX_BYTES,
  totalBytes: Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, MANIFEST_MAX_BYTES),
  nameBytes: BUNDLE_PATH_MAX,
  depth: BUNDLE_PATH_DEPTH,
});

/** Largest archive that these files can be in, in bytes; what is longer is not downloaded to its end. */
function archiveMaxBytes(manifest: BundleManifest): number {
  const { totalBytes, entries } = limitsOf(manifest);
  return totalBytes + (entries + 1) * ENTRY_OVERHEAD_BYTES + 20 * 512;
}

function expectedFiles({ files }: BundleManifest): Map<string, ExpectedFile> {
  const expected = new Map<string, ExpectedFile>([[MANIFEST_FILE, { maxBytes: MANIFEST_MAX_BYTES }]]);
  for (const [path, { sizeBytes, sha256 }] of Object.entries(files)) {
    expected.set(path, { sizeBytes, sha256, executable: path.startsWith('suites/') });
  }
  return expected;
}

/**
 * Whether the text of a manifest.json says the same; the order of its fields does not matter. A field that the controller
 * did not send is not compared: one that is older than the builder does not know all of them.
 */
function isSameManifest(json: Buffer, manifest: BundleManifest): boolean {
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch {
    return false;
  }
  const parsed = BundleManifest.safeParse(value);
  if (!parsed.success) return false;
  const wanted = BundleManifest.parse(manifest);
  const told = Object.fromEntries(Object.entries(parsed.data).filter(([field]) => field in wanted));
  return isDeepStrictEqual(told, wanted);
}

/** Why a folder in the cache is not the bundle of this manifest; null when it is. */
async function whyUnusable(folder: string, manifest: BundleManifest): Promise<string | null> {
  try {
    const { files, kept } = await readPlainFolder(folder, {
      limits: limitsOf(manifest),
      keep: new Map([[MANIFEST_FILE, MANIFEST_MAX_BYTES]]),
    });
    if (!isSameManifest(kept.get(MANIFEST_FILE) ?? Buffer.alloc(0), manifest)) return 'another manifest';
    files.delete(MANIFEST_FILE);
    return isDeepStrictEqual(Object.fromEntries(files), manifest.files) ? null : 'other files';
  } catch (error) {
    if (error instanceof ArchiveError) return error.message;
    throw error;
  }
}

/** Puts a finished folder where a worse one may be. */
async function replaceFolder(finished: string, folder: string): Promise<void> {
  const old = `${finished}.old`;
  await rename(folder, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(finished, folder);
  await rm(old, { recursive: true, force: true });
}
