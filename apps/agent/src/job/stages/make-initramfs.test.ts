import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createInitramfs, DRACUT, INITRAMFS_TOOLS, MKINITCPIO } from '../../machine/drivers/initramfs.js';
import type { Session } from '../../machine/protocols.js';
import { packingsOf } from './make-initramfs.js';

it('packs an initramfs as the candidate can unpack it', () => {
  expect(packingsOf('CONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\nCONFIG_RD_XZ=y')).toEqual(['gzip', 'xz']);
  expect(packingsOf('CONFIG_RD_ZSTD=y\nCONFIG_RD_GZIP=y\n')).toEqual(['zstd', 'gzip']);
  expect(packingsOf('CONFIG_RD_ZSTD=ybutnot\n')).toEqual([]);
});

it('has servers’ configurations unpack what the tools of distributions pack', () => {
  for (const name of ['server', 'lab-server']) {
    const config = readFileSync(new URL(`../../../../../kernel/config/${name}.config`, import.meta.url), 'utf8');
    expect(packingsOf(config), name).toContain('zstd');
  }
});

it.each([
  [INITRAMFS_TOOLS, "mkinitramfs -c gzip -o '/boot/i' 'r'"],
  [
    DRACUT,
    "dracut --force --quiet --gzip --omit-drivers 'amdgpu radeon nouveau nvidia nvidia_drm i915 xe' '/boot/i' 'r'",
  ],
  [MKINITCPIO, "mkinitcpio -z gzip -k 'r' -g '/boot/i'"],
])('tells each tool how to pack', async (tool, command) => {
  let ran = '';
  const exec = async (text: string): Promise<object> => {
    ran = text;
    return { code: 0, stdout: '7\n', stderr: '' };
  };
  const session = { exec } as unknown as Session;
  expect(await createInitramfs(tool).make(session, { release: 'r', path: '/boot/i', packing: 'gzip' })).toEqual({
    sizeBytes: 7,
  });
  expect(ran.replaceAll("'", '')).toContain(command.replaceAll("'", ''));
});
