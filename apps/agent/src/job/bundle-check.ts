import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleManifest } from '@peerlab/contracts';

export type ExpectedBundle = Pick<BundleManifest, 'key' | 'base' | 'series' | 'config' | 'toolchain'>;

export async function checkBuiltBundle(folder: string, _expect: ExpectedBundle): Promise<BundleManifest> {
  return BundleManifest.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
}
