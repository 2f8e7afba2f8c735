import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type BundleManifest, MANIFEST_FILE, MANIFEST_MAX_BYTES, type PathRule } from '@peerlab/contracts';
import { JobFailure } from './failure.js';

/**
 * Writes the rule for peer paths into the manifest of a bundle, in place of what the build put there; null takes it out.
 * @param folder of a bundle that was checked and is this agent's own
 * @param scratch a folder on the same file system, for the new file: a reader sees the old manifest or the new one
 * @returns the manifest as it is now
 */
export async function putPathRule(
  folder: string,
  { pathRule: before, ...manifest }: BundleManifest,
  pathRule: PathRule | null,
  scratch: string,
): Promise<BundleManifest> {
  if (isDeepStrictEqual(before, pathRule ?? undefined)) return { ...manifest, ...(before && { pathRule: before }) };
  const path = join(folder, MANIFEST_FILE);
  const { pathRule: _claimed, ...rest } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const text = `${JSON.stringify({ ...rest, ...(pathRule && { pathRule }) }, null, 1)}\n`;
  if (Buffer.byteLength(text) > MANIFEST_MAX_BYTES) {
    throw new JobFailure('build', `the ${MANIFEST_FILE} of the bundle has no room for the rule for peer paths`);
  }
  const fresh = join(scratch, MANIFEST_FILE);
  await writeFile(fresh, text);
  await chmod(fresh, 0o644);
  await rename(fresh, path);
  return { ...manifest, ...(pathRule && { pathRule }) };
}
