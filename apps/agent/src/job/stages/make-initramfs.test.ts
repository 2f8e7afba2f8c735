import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInitramfs, DRACUT, INITRAMFS_TOOLS, MKINITCPIO } from '../../machine/drivers/initramfs.js';
import type { Session } from '../../machine/protocols.js';
import { CONFIG_MARK } from '../../machine/shown-config.js';
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
  [INITRAMFS_TOOLS, "mkinitramfs -v -c gzip -o '/boot/i' 'r'"],
  [DRACUT, "dracut --force --gzip --omit-drivers 'amdgpu radeon nouveau nvidia nvidia_drm i915 xe' '/boot/i' 'r'"],
  [MKINITCPIO, "mkinitcpio --skiphooks kms -z gzip -k 'r' -g '/boot/i'"],
])('tells each tool how to pack', async (tool, command) => {
  let ran = '';
  const exec = async (text: string): Promise<object> => {
    ran = text;
    return { code: 0, stdout: '7\n', stderr: '' };
  };
  const session = { exec } as unknown as Session;
  expect(
    await createInitramfs(tool).make(session, { release: 'r', path: '/boot/i', packing: 'gzip', config: null }),
  ).toEqual({
    sizeBytes: 7,
  });
  expect(ran.replaceAll("'", '')).toContain(command.replaceAll("'", ''));
});

describe('the tools of distributions', () => {
  let root: string;
  const at = (path: string): string => join(root, path);
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'initramfs-tool-'));
    mkdirSync(at('boot'));
    writeFileSync(at('config'), 'CONFIG_RD_ZSTD=y\n');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** The agent's script, on this computer, with a tool that asks as that of initramfs-tools 0.142 does. */
  const make = async (): Promise<{ sizeBytes: number }> => {
    const asks = (release: string, path: string): string =>
      `grep -q '^CONFIG_RD_ZSTD=y' ${at('boot')}/config-${release} && cp ${at('boot')}/config-${release} ${path}`;
    const exec = async (text: string): Promise<object> => {
      const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8' });
      return { code: status, stdout, stderr };
    };
    const options = { release: 'r', path: at('initrd'), packing: 'zstd', config: at('config') } as const;
    return createInitramfs({ ...INITRAMFS_TOOLS, make: asks }, root).make({ exec } as unknown as Session, options);
  };

  it('are shown the configuration of the candidate while they work, and no longer', async () => {
    expect((await make()).sizeBytes).toBe(`${CONFIG_MARK}\nCONFIG_RD_ZSTD=y\n`.length);
    expect(readdirSync(at('boot'))).toEqual([]);
  });

  it('see what is there already, which stays', async () => {
    writeFileSync(at('boot/config-r'), 'CONFIG_RD_XZ=y\n');
    await expect(make()).rejects.toThrow('made no initramfs');
    expect(readFileSync(at('boot/config-r'), 'utf8')).toBe('CONFIG_RD_XZ=y\n');
  });
});
