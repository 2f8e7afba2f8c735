import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sha256OfFile } from './bundle-cache.js';
import { patchesIn } from './series-patches.js';

it('takes only plain files that are named as the splitter names them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'patches-'));
  try {
    const at = (name: string): string => join(folder, name);
    writeFileSync(at('0001.patch'), 'one');
    writeFileSync(at('secret'), 'a token');
    symlinkSync(at('secret'), at('0002.patch'));
    linkSync(at('secret'), at('0003.patch'));
    mkdirSync(at('0004.patch'));
    writeFileSync(at('0005.patch.sh'), 'five');
    const digest = await sha256OfFile(at('0001.patch'));
    expect(await patchesIn(folder)).toEqual(new Map([[digest, at('0001.patch')]]));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
