import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orIfAbsent } from '@peerlab/runtime';
import { runTool } from '../job/system-tool.js';

/** Unpacked trees that are kept beside the farm's base, 2 GiB each. */
const KEPT_SOURCES = 4;

/** A tree that kernels are built from: `tree/`, `version` and `source.sha256`, as kernel/scripts/fetch-base.sh leaves them. */
export interface StoredSource {
  folder: string;
  /** Whoever holds it shared keeps the tree from being removed. */
  lock: string;
}

/**
 * Trees of other sources than the farm's base, by their keys. They lie apart from the cache that all builds see: a build
 * sees its own alone. A tree is complete when it is there, and never changes.
 */
export class SourceStore {
  readonly #folder: string;

  /** @param cacheDir of the agent */
  constructor(cacheDir: string) {
    this.#folder = join(cacheDir, 'agent', 'sources');
  }

  /** @param key a digest of what the tree is */
  async find(key: string): Promise<StoredSource | null> {
    const source = this.#source(key);
    if (!existsSync(join(source.folder, 'source.sha256'))) return null;
    const now = new Date();
    await utimes(source.folder, now, now);
    return source;
  }

  /**
   * Takes a folder that holds `tree/` over as the source of this key; where there is one already, that one stays.
   * @param version of the kernel, as its Makefile says
   */
  async add(key: string, from: string, version: string): Promise<StoredSource> {
    const source = this.#source(key);
    await mkdir(this.#folder, { recursive: true });
    await writeFile(join(from, 'version'), `${version}\n`);
    await writeFile(join(from, 'source.sha256'), `${key}\n`);
    // A umask of 0077 would keep the builds out.
    for (const name of ['version', 'source.sha256']) await chmod(join(from, name), 0o644);
    if (!existsSync(source.folder)) await rename(from, source.folder);
    await this.trim();
    return source;
  }

  /** Removes the trees that were not used in the longest time, except those that a build holds. */
  async trim(keep = KEPT_SOURCES): Promise<void> {
    const names = (await orIfAbsent(readdir(this.#folder), [])).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const aged = await Promise.all(
      names.map(async (name) => ({
        name,
        usedAt: (await orIfAbsent(stat(join(this.#folder, name)), { mtimeMs: 0 })).mtimeMs,
      })),
    );
    aged.sort((a, b) => b.usedAt - a.usedAt);
    const script = 'chmod -R u+rwX -- "$1"; rm -rf --one-file-system -- "$1"';
    for (const { name } of aged.slice(keep)) {
      const { folder, lock } = this.#source(name);
      await runTool('flock', ['-n', '-x', lock, 'sh', '-c', script, 'sh', folder]).catch(() => undefined);
    }
  }

  #source(key: string): StoredSource {
    return { folder: join(this.#folder, key), lock: join(this.#folder, `${key}.lock`) };
  }
}
