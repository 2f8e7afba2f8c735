import { describe, expect, it } from 'vitest';
import { readBootManagerLine } from '../machine/drivers/boot-next.js';
import { readGrubLine } from '../machine/drivers/grub.js';
import { type BootEvidence, BootEvidenceReader } from './boot-evidence.js';

describe('the evidence of a boot', () => {
  const LOADING = 'peerlab-grub: loading /boot/peerlab-ab-vmlinuz';
  const BANNER = 'Linux version 7.3.4-peerlab-ab (x)';
  const readerOf = (...texts: string[]): BootEvidenceReader => {
    const reader = new BootEvidenceReader('7.3.4-peerlab-ab', readGrubLine);
    reader.push(texts.map((text, index) => ({ seq: 100 + index, text })));
    return reader;
  };
  const read = (...texts: string[]): BootEvidence => readerOf(...texts).evidence;

  it('a crash of the candidate outranks its start, and what another kernel prints later', () => {
    expect(read(BANNER, 'Kernel panic - not syncing: a', 'Linux version 6.1.0 (debian)')).toMatchObject({
      kind: 'crash',
      fromSeq: 101,
    });
    expect(read(BANNER, 'Linux version 6.1.0 (debian)', 'Kernel panic - not syncing: a')).toEqual({
      kind: 'started',
      fromSeq: 100,
    });
  });

  it.each([
    ['VFS: Unable to mount root fs on unknown-block(0,0)'],
    ['Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.'],
    ['ALERT!  UUID=0fa4 does not exist.  Dropping to a shell!'],
    ['dracut-initqueue[312]: Warning: dracut-initqueue timeout - starting timeout scripts'],
    ['Gave up waiting for root file system device.  Common problems:'],
    ['You are in emergency mode. After logging in, type "journalctl -xb" to view'],
  ])('a candidate without a root file system is not a crash: %s', (text) => {
    expect(read(LOADING, BANNER, text, 'Kernel panic - not syncing: VFS')).toEqual({
      kind: 'no-root',
      message: text,
      fromSeq: 102,
    });
  });

  it.each([
    'error: bad shim signature.',
    'error: ../../grub-core/kern/efi/sb.c:183:bad shim signature.',
    'error: /boot/peerlab-ab-vmlinuz has invalid signature.',
    'error: prohibited by secure boot policy.',
  ])('an image that is refused for its signature is told apart from one that cannot be loaded: %s', (text) => {
    const notLoaded = 'peerlab-grub: the image was not loaded';
    // GRUB complains of other things before.
    expect(read(LOADING, 'error: no suitable video mode found.', text, notLoaded)).toMatchObject({
      kind: 'not-trusted',
      fromSeq: 102,
    });
    expect(read(LOADING, text, BANNER)).toEqual({ kind: 'started', fromSeq: 102 });
    expect(read(LOADING, text)).toEqual({ kind: 'loaded', fromSeq: 100 });
    expect(read(text, LOADING, 'error: invalid magic number.', notLoaded)).toMatchObject({ kind: 'not-loaded' });
  });

  it('an entry that the firmware refuses for its signature never was taken', () => {
    const reader = new BootEvidenceReader('7.3.4-peerlab-ab', readBootManagerLine);
    reader.push([
      { seq: 7, text: 'BdsDxe: failed to load Boot0004 "Peerlab candidate" from HD(1,GPT): Access Denied' },
    ]);
    expect(reader.evidence).toEqual({ kind: 'not-trusted', message: 'Access Denied', fromSeq: 7 });
  });

  it('names the root that initramfs-tools did not find', () => {
    const first = 'Gave up waiting for root file system device.  Common problems:';
    const named = 'ALERT!  /dev/mapper/server-root does not exist.  Dropping to a shell!';
    const noRoot = { kind: 'no-root', message: named, fromSeq: 102 };
    expect(read(LOADING, BANNER, first, ' - Boot args (cat /proc/cmdline)', named)).toEqual(noRoot);
    expect(read(LOADING, BANNER, named, first)).toEqual(noRoot);
  });

  it('a crash before the loader took the candidate is of the kernel that was told to reboot', () => {
    expect(read('Kernel panic - not syncing: hung_task: blocked tasks', 'Linux version 6.1.0 (debian)')).toEqual({
      kind: 'nothing',
      crash: expect.any(String) as string,
    });
    expect(read('Kernel panic - not syncing: a', LOADING, BANNER)).toEqual({ kind: 'started', fromSeq: 102 });
  });

  it('knows what GRUB says about an image, and believes its errors only when the image was not loaded', () => {
    expect(read(LOADING, 'error: invalid magic number.', 'peerlab-grub: the image was not loaded')).toEqual({
      kind: 'not-loaded',
      message: 'invalid magic number',
      fromSeq: 101,
    });
    expect(
      read(
        LOADING,
        "error: ../../grub-core/loader/i386/linux.c:701:file `/boot/k' not found.",
        'peerlab-grub: the image was not loaded',
      ),
    ).toMatchObject({ kind: 'not-loaded', message: "file `/boot/k' not found" });
    const harmless = 'error: ../../grub-core/video/video.c:762:no suitable video mode found.';
    expect(read(LOADING, harmless)).toEqual({ kind: 'loaded', fromSeq: 100 });
    expect(read(LOADING, harmless, BANNER)).toEqual({ kind: 'started', fromSeq: 102 });
    expect(read("error: can't find command `search'.", 'Linux version 6.1.0 (debian)')).toEqual({
      kind: 'nothing',
      crash: null,
    });
  });

  it('counts a loader that takes the candidate at every boot', () => {
    expect(readerOf(LOADING, BANNER, LOADING, BANNER, LOADING).loops).toBe(false);
    expect(readerOf(LOADING, BANNER, LOADING, BANNER, LOADING, BANNER, LOADING).loops).toBe(true);
  });

  it('tells a start without a report from no start', () => {
    expect(read('x', BANNER)).toEqual({ kind: 'started', fromSeq: 101 });
    expect(read(LOADING)).toEqual({ kind: 'loaded', fromSeq: 100 });
    expect(read('Linux version 6.1.0 (debian)')).toEqual({ kind: 'nothing', crash: null });
  });

  const LOGIN = 'debian login:';

  it.each([
    'systemd[1]: Inserted module autofs4',
    '[    3.141592] systemd[1]: systemd 257 running in system mode',
    '[  OK  ] Started Serial Getty on ttyS0.',
    'INIT: version 3.06 booting',
    'debian login: [   30.000001] random: crng init done',
  ])('knows by systemd, init and getty that programs run: %s', (text) => {
    expect(read(LOADING, BANNER, 'Freeing unused kernel memory: 4096K', text, 'more')).toEqual({
      kind: 'user-space',
      message: text,
      fromSeq: 103,
    });
    // What another kernel's programs print, before and after, says nothing about the candidate.
    expect(read(text, LOADING, BANNER)).toEqual({ kind: 'started', fromSeq: 102 });
    expect(read(LOADING, text)).toEqual({ kind: 'loaded', fromSeq: 100 });
    expect(read(LOADING, BANNER, 'Linux version 6.1.0 (debian)', text)).toEqual({ kind: 'started', fromSeq: 101 });
    // A crash and a root that is missing say more.
    expect(read(BANNER, text, 'Kernel panic - not syncing: a')).toMatchObject({ kind: 'crash' });
    expect(read(BANNER, text, 'You are in emergency mode. After')).toMatchObject({ kind: 'no-root' });
  });

  it('takes the prompt that waits at the end, which is no whole line yet', () => {
    const last = (text: string, ...lines: string[]): BootEvidence => {
      const reader = readerOf(...lines);
      reader.pushLast(text, 200);
      return reader.evidence;
    };
    expect(last(LOGIN, LOADING, BANNER)).toEqual({ kind: 'user-space', message: LOGIN, fromSeq: 200 });
    expect(last('peerlab: now I hang', LOADING, BANNER)).toEqual({ kind: 'started', fromSeq: 101 });
    expect(last(LOGIN, LOADING)).toEqual({ kind: 'loaded', fromSeq: 100 });
    expect(last(LOGIN, BANNER, 'Linux version 6.1.0 (debian)')).toEqual({ kind: 'started', fromSeq: 100 });
  });

  const OTHER = 'Linux version 6.1.0 (debian)';
  const loops = (...texts: string[]): boolean => readerOf(...texts).loops;
  const times = (count: number, ...texts: string[]): string[] => Array.from({ length: count }, () => texts).flat();

  it.each([
    ['marks alone', [LOADING]],
    ['first lines alone', [BANNER]],
    ['both', [LOADING, BANNER]],
    ['both, with another kernel in between', [LOADING, BANNER, OTHER]],
    ['marks, with another kernel in between', [LOADING, OTHER]],
  ])('counts each boot of the candidate once: %s', (_, boot) => {
    expect(loops(...times(3, ...boot))).toBe(false);
    expect(loops(...times(4, ...boot))).toBe(true);
  });

  it('counts a boot whose first line was lost, and one whose mark was', () => {
    expect(loops(LOADING, LOADING, BANNER, BANNER)).toBe(false);
    expect(loops(LOADING, LOADING, BANNER, BANNER, BANNER)).toBe(true);
    expect(loops(LOADING, OTHER, BANNER, OTHER, BANNER)).toBe(false);
    expect(loops(LOADING, OTHER, BANNER, OTHER, BANNER, BANNER)).toBe(true);
    expect(loops(...times(9, OTHER))).toBe(false);
  });
});
