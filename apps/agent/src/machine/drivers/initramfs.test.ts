import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lackingFiles } from '../../job/boot-chain.js';
import type { Session } from '../protocols.js';
import { createInitramfs, DRACUT, INITRAMFS_TOOLS, MKINITCPIO } from './initramfs.js';

/** What lsinitrd of dracut 059 printed on Debian 12 with its root on btrfs, most of the files left out. */
const LSINITRD = readFileSync(new URL('samples/lsinitrd-059.txt', import.meta.url), 'utf8');

/**
 * In the form of lsinitcpio, which is that of `bsdcpio --list`: a path a line, folders and links without a sign, sorted. Of an
 * image with udev, lvm2 and encrypt, most of the files left out; `hooks/mdadm` and `hooks/multipath` stand for hooks without their program.
 */
const LSINITCPIO = readFileSync(new URL('samples/lsinitcpio.txt', import.meta.url), 'utf8');

const answering = (stdout: string): Session =>
  ({ exec: async () => ({ stdout, stderr: '', code: 0, signal: null }) }) as unknown as Session;
const CHAIN = { root: '/dev/nvme0n1p4 (btrfs)', builtin: [], missing: [] };

describe('the files of an initramfs', () => {
  it('are those that dracut put in, with the names of links', async () => {
    const files = await createInitramfs(DRACUT).list(answering(LSINITRD), '/boot/i');
    expect(files).toHaveLength(LSINITRD.split('\n').filter((line) => line.includes(' root     root ')).length);
    expect(files).toEqual(expect.arrayContaining(['dev/console', 'etc/mtab', 'usr/bin/btrfsck', 'usr/sbin/btrfs']));
    expect(lackingFiles({ ...CHAIN, modules: ['nvme', 'nvme_core', 'btrfs'], tools: ['btrfs'] }, files)).toEqual([]);
  });

  it('are not the modules of dracut, whose names are those of programs', async () => {
    const withLvm = LSINITRD.replace('\ncrypt\n', '\ncrypt\nlvm\nmultipath\n').replace('-q --force', '--add mdadm');
    const files = await createInitramfs(DRACUT).list(answering(withLvm), '/boot/i');
    const tools = ['lvm', 'mdadm', 'multipath'];
    expect(lackingFiles({ ...CHAIN, modules: [], tools }, files)).toEqual(tools.map((name) => `the program ${name}`));
  });

  it('are lines without columns with initramfs-tools', async () => {
    const files = await createInitramfs(INITRAMFS_TOOLS).list(answering('.\nusr/sbin/lvm\n'), '/boot/i');
    expect(files).toEqual(['.', 'usr/sbin/lvm']);
  });

  describe('of mkinitcpio', () => {
    const chain = {
      ...CHAIN,
      modules: ['nvme', 'nvme_core', 'dm_mod', 'dm_crypt', 'ext4'],
      tools: ['lvm', 'cryptsetup'],
    };
    const listed = (text: string): Promise<string[]> => createInitramfs(MKINITCPIO).list(answering(text), '/boot/i');

    it('have the modules and programs of a root on LVM in LUKS', async () => {
      const files = await listed(LSINITCPIO);
      expect(files).toHaveLength(LSINITCPIO.trim().split('\n').length);
      expect(lackingFiles(chain, files)).toEqual([]);
    });

    it.each([
      ['a driver', /^.*\/nvme\.ko\.zst\n/m, 'the module nvme'],
      ['a module whose name is the beginning of another one', /^.*\/nvme-core\.ko\.zst\n/m, 'the module nvme_core'],
      ['a file system', /^.*\/ext4\.ko\.zst\n/m, 'the module ext4'],
      ['lvm, but for its folder', /^usr\/bin\/lvm\n/m, 'the program lvm'],
      ['cryptsetup, but for its folder', /^usr\/bin\/cryptsetup\n/m, 'the program cryptsetup'],
    ])('lack %s where that is left out', async (_, line, lacking) => {
      expect(LSINITCPIO).toMatch(line);
      expect(lackingFiles(chain, await listed(LSINITCPIO.replace(line, '')))).toEqual([lacking]);
    });

    it('lack programs whose hook alone is there', async () => {
      const tools = ['mdadm', 'multipath'];
      expect(lackingFiles({ ...CHAIN, modules: [], tools }, await listed(LSINITCPIO))).toEqual(
        tools.map((name) => `the program ${name}`),
      );
    });

    it('unlock a root by systemd, too', async () => {
      const withSystemd = LSINITCPIO.replace('usr/bin/cryptsetup\n', '').replace(
        'usr/lib/systemd/systemd-udevd',
        'usr/lib/systemd/systemd-cryptsetup\nusr/lib/systemd/systemd-udevd',
      );
      expect(lackingFiles(chain, await listed(withSystemd))).toEqual([]);
    });
  });
});
