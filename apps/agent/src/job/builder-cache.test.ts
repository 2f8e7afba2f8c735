import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trimBuiltBundles } from './builder-cache.js';

it('keeps the finished bundles that were uploaded last, and touches nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'built-'));
  try {
    const names = Array.from({ length: 5 }, (_, index) => String(index).repeat(64));
    for (const [index, name] of [...names, 'other'].entries()) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'manifest.json'), '{}');
      utimesSync(join(folder, name), 1000 + index, 1000 + index);
    }
    await trimBuiltBundles(folder, 5);
    expect(readdirSync(folder)).toHaveLength(6);
    await trimBuiltBundles(folder, 2);
    expect(readdirSync(folder).sort()).toEqual([...names.slice(3), 'other'].sort());
  } finally {
    rmSync(folder, { recursive: true });
  }
});
