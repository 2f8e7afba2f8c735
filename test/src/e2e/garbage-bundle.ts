import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HttpClient } from '@peerlab/client';
import { BundleManifest } from '@peerlab/contracts';

const run = promisify(execFile);
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/**
 * Takes a bundle that the farm has built, puts random bytes in place of its kernel, and uploads it
 * as any user may upload a bundle of their own.
 * @returns the content key that a run names it by
 */
export async function uploadGarbage(client: HttpClient, folder: string): Promise<string> {
  const builds = await client.call('listBuilds', {});
  const good = builds.find((build) => build.bundle !== null && build.manifest !== null);
  if (good?.bundle == null) throw new Error('no build is ready');
  const tar = join(folder, 'bundle.tar');
  const bundle = await client.blob('getArtifact', { params: { sha256: good.bundle.sha256 } });
  await writeFile(tar, Buffer.from(await bundle.arrayBuffer()));
  await run('tar', ['-xf', tar, '-C', folder]);

  const image = randomBytes(1 << 20);
  await writeFile(join(folder, 'vmlinuz'), image);
  const file = join(folder, 'manifest.json');
  const manifest = BundleManifest.parse(JSON.parse(await readFile(file, 'utf8')));
  manifest.files['vmlinuz'] = { sha256: sha256(image), sizeBytes: image.length };
  manifest.key = sha256(image);
  await writeFile(file, JSON.stringify(manifest));
  await run('tar', ['-cf', tar, '--format=ustar', '-C', folder, 'manifest.json', ...Object.keys(manifest.files)]);

  const packed = await readFile(tar);
  await client.upload(sha256(packed), new Uint8Array(packed));
  return (await client.call('registerBundle', { body: { manifest, sha256: sha256(packed) } })).key;
}
