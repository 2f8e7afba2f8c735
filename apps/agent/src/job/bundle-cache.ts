import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleManifest } from '@peerlab/contracts';
import type { Artifacts } from './artifacts.js';
import { JobFailure } from './failure.js';

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Names inside a bundle: relative, below it, nothing clever. */
export function isBundlePath(path: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9._/-]*$/.test(path) && !path.split('/').some((part) => part === '..' || part === '');
}

/** Bundles on the agent's disk, by digest; jobs that want the same one wait for one download. */
export class BundleCache {
  private readonly fetching = new Map<string, Promise<string>>();

  constructor(
    private readonly root: string,
    private readonly artifacts: Artifacts,
  ) {}

  /** The folder of an unpacked bundle; every file in it agrees with the manifest. */
  async fetch(sha256: string, manifest: BundleManifest, signal?: AbortSignal): Promise<string> {
    const folder = join(this.root, sha256);
    if (!existsSync(folder)) {
      // Without the caller's signal: others may wait for the same download.
      let task = this.fetching.get(sha256);
      if (task === undefined) {
        task = this.unpack(sha256, folder).finally(() => this.fetching.delete(sha256));
        this.fetching.set(sha256, task);
      }
      await task;
    }
    const now = new Date();
    await utimes(folder, now, now);
    signal?.throwIfAborted();
    try {
      await checkFiles(folder, manifest);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return folder;
  }

  /** Removes the bundles that were not asked for in the longest time. */
  private async evict(): Promise<void> {
    const names = (await readdir(this.root)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const aged = await Promise.all(
      names.map(async (name) => ({ name, usedAt: (await stat(join(this.root, name))).mtimeMs })),
    );
    aged.sort((a, b) => b.usedAt - a.usedAt);
    for (const { name } of aged.slice(KEPT_BUNDLES)) await rm(join(this.root, name), { recursive: true, force: true });
  }

  private async unpack(sha256: string, folder: string): Promise<string> {
    await mkdir(this.root, { recursive: true });
    const tar = join(this.root, `${sha256}.tar`);
    const temporary = `${folder}.${randomUUID()}`;
    try {
      await this.artifacts.download(sha256, tar);
      await mkdir(temporary);
      await runTar(['-xf', tar, '-C', temporary, '--no-same-owner']);
      await rename(temporary, folder);
      await this.evict();
      return folder;
    } finally {
      await rm(tar, { force: true });
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

/** Bundles kept on the agent's disk, about 10 MB each; far more than jobs that run at once. */
const KEPT_BUNDLES = 32;

async function checkFiles(folder: string, manifest: BundleManifest): Promise<void> {
  for (const [path, expected] of Object.entries(manifest.files)) {
    if (!isBundlePath(path)) throw new JobFailure('request', `the bundle names a file outside itself: ${path}`);
    const found = await lstat(join(folder, path)).catch(() => null);
    if (found === null || !found.isFile()) throw new JobFailure('request', `the bundle lacks its file ${path}`);
    const seen = await sha256OfFile(join(folder, path));
    if (seen !== expected.sha256) {
      throw new JobFailure('request', `${path} in the bundle has sha256 ${seen}, its manifest says ${expected.sha256}`);
    }
  }
}

/** Runs tar; throws with its words when it fails. */
export async function runTar(args: string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('tar', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-1000);
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`tar ${args[0] ?? ''} exited with ${code}: ${said}`)),
    );
  });
}
