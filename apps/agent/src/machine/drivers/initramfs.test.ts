import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lackingFiles } from '../../job/boot-chain.js';
import type { Session } from '../protocols.js';
import { createInitramfs, DRACUT, INITRAMFS_TOOLS } from './initramfs.js';

/** What lsinitrd of dracut 059 printed on Debian 12 with its root on btrfs, most of the files left out. */
const LSINITRD = readFileSync(new URL('samples/lsinitrd-059.txt', import.meta.url), 'utf8');

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
});
