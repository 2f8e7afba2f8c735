import { execFile } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Artifacts } from './artifacts.js';
import { sha256OfFile } from './bundle-cache.js';

const run = promisify(execFile);
/** What the splitter may print: one line a patch. */
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

/**
 * The patches of a series as they are applied, as files below `folder`, by digest. It is the builder's own
 * splitter that makes them, so they have the digests that the bundle's manifest names.
 * @param series values of the builder's `--series`: `none`, `bundled`, or a path
 */
export async function splitSeries(
  kernelDir: string,
  folder: string,
  series: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const out = join(folder, 'patches');
  await mkdir(out, { recursive: true });
  for (const source of series) {
    if (source === 'none') continue;
    const path = source === 'bundled' ? join(kernelDir, 'patches') : source;
    const before = (await readdir(out)).length;
    const script = join(kernelDir, 'scripts', 'split-series.pl');
    await run(script, [path, out, String(before)], { signal, maxBuffer: OUTPUT_MAX_BYTES });
  }
  const files = (await readdir(out)).map((name) => join(out, name));
  return new Map(await Promise.all(files.map(async (file) => [await sha256OfFile(file), file] as const)));
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
