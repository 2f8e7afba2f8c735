import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BuilderCache, giveAllAway, GIVE_AWAY, trimBuiltBundles } from './builder-cache.js';
import { runTool } from './system-tool.js';

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

// Only root gives files away.
it.runIf(process.getuid?.() === 0)(
  'gives the account of the builds what root has left in one of its trees',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-'));
    try {
      const account = { uid: 54_321, gid: 54_321 };
      const tree = join(folder, 'builder/kernel/tree-peerlab-0');
      mkdirSync(join(tree, 'include'), { recursive: true });
      writeFileSync(join(folder, 'outside'), '');
      symlinkSync(join(folder, 'outside'), join(tree, 'link'));
      chownSync(tree, account.uid, account.gid);
      writeFileSync(join(tree, 'include/auto.conf'), '');
      await new BuilderCache(folder, account).prepare();
      for (const path of ['', 'include', 'include/auto.conf', 'link'])
        expect(lstatSync(join(tree, path)), path).toMatchObject(account);
      expect(lstatSync(join(folder, 'outside')).uid).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

it.runIf(process.getuid?.() === 0)('a file that another build removes meanwhile is no trouble', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cache-'));
  try {
    const left = join(folder, 'left');
    writeFileSync(left, '');
    const give = (owner: string): Promise<void> =>
      runTool('sh', ['-c', GIVE_AWAY, 'sh', owner, join(folder, 'stderr.tmp.gone'), left]);
    await give('54321:54321');
    expect(lstatSync(left)).toMatchObject({ uid: 54_321, gid: 54_321 });
    // What is there and cannot be given away is one.
    await expect(give('no-such-account')).rejects.toThrow('invalid user');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.runIf(process.getuid?.() === 0)('a folder that another build removes meanwhile is none either', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cache-'));
  try {
    const left = join(folder, 'left');
    writeFileSync(left, '');
    const account = { uid: 54_321, gid: 54_321 };
    await giveAllAway([join(folder, '.tmp_2554'), left], account);
    expect(lstatSync(left)).toMatchObject(account);
    await expect(giveAllAway([join(left, 'no-folder')], account)).rejects.toThrow(/account: .*: Not a directory/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
