import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifacts } from './artifacts.js';
import { sha256OfFile } from './bundle-cache.js';

/** Longest text of one patch that is stored, in bytes. */
const PATCH_MAX_BYTES = 16 * 1024 * 1024;

/**
 * The patches of a series as they are applied, by digest: the builder's own splitter left them in this
 * folder. It ran in the sandbox, so whatever is no plain file of a patch's size is not looked at.
 */
export async function patchesIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const entry = await lstat(path);
    if (!/^\d{4}\.patch$/.test(name) || !entry.isFile() || entry.nlink !== 1 || entry.size > PATCH_MAX_BYTES) continue;
    found.set(await sha256OfFile(path), path);
  }
  return found;
}

/**
 * Uploads those of the wanted patches that are here, each as an artifact of its own, so that a patch that
 * many builds share is stored once.
 * @returns how many were uploaded
 */
export async function uploadPatches(
  artifacts: Artifacts,
  patches: ReadonlyMap<string, string>,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  let uploaded = 0;
  for (const sha256 of new Set(wanted)) {
    const file = patches.get(sha256);
    if (file === undefined) continue;
    await artifacts.upload(sha256, file, (await stat(file)).size, signal);
    uploaded += 1;
  }
  return uploaded;
}
