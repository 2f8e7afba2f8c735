import { describe, expect, it } from 'vitest';
import { createCrashWatch, readKernelAlarm } from '../index.js';

/** One line per rule: what a kernel prints, and the title it must get. */
const CORPUS: readonly [line: string, kind: 'crash' | 'warning', title: string][] = [
  [
    '[   12.3] BUG: kernel NULL pointer dereference, address: 0000000000000010',
    'crash',
    'BUG: kernel NULL pointer dereference',
  ],
  ['BUG: unable to handle page fault for address: ffffc900000010', 'crash', 'BUG: unable to handle page fault'],
  ['kernel BUG at mm/hmm.c:311!', 'crash', 'kernel BUG at mm/hmm.c:311'],
  [
    'BUG: KASAN: slab-use-after-free in hmm_range_fault+0x12/0x80',
    'crash',
    'BUG: KASAN: slab-use-after-free in hmm_range_fault',
  ],
  ['Oops: general protection fault, probably for non-canonical address 0xdead', 'crash', 'general protection fault'],
  ['watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [p2p:99]', 'crash', 'BUG: soft lockup'],
  [
    'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
    'crash',
    'panic: VFS: Unable to mount root fs on unknown-block(0,0)',
  ],
  [
    'Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100',
    'crash',
    'panic: Attempted to kill init! exitcode=0x…',
  ],
  ['INFO: task kworker/0:1:33 blocked for more than 120 seconds.', 'warning', 'task kworker/0 hung'],
  ['WARNING: possible circular locking dependency detected', 'warning', 'lockdep: circular locking dependency'],
  [
    'WARNING: CPU: 0 PID: 77 at mm/memremap.c:158 memunmap_pages+0x1f/0x30',
    'warning',
    'WARNING at mm/memremap.c:158 memunmap_pages',
  ],
  [
    'WARNING: mm/memremap.c:158 at memremap_pages+0x1ad/0x47a, CPU#1: hmm-tests/246',
    'warning',
    'WARNING at mm/memremap.c:158 memremap_pages',
  ],
  [
    'BUG: sleeping function called from invalid context at kernel/locking/mutex.c:1',
    'warning',
    'BUG: sleeping function called from invalid context',
  ],
  [
    'DMA-API: edu 0000:04:00.0: device driver frees DMA memory with wrong function',
    'warning',
    'DMA-API: device driver frees DMA memory with wrong function',
  ],
  ['DMAR: [DMA Read NO_PASID] Request device [05:00.0] fault addr 0xfe000000', 'warning', 'DMAR: [DMA Read NO_PASID]'],
];

describe('readKernelAlarm', () => {
  it.each(CORPUS)('%s', (line, kind, title) => {
    const alarm = readKernelAlarm(line);
    expect(alarm?.kind).toBe(kind);
    if (title !== '') expect(alarm?.title).toBe(title);
  });

  it('is silent on ordinary boot lines', () => {
    for (const line of [
      '[    0.000000] Linux version 7.3.4-peerlab',
      '[    1.2] pci 0000:00:00.0: [8086:29c0] type 00 class 0x060000',
      'Command line: root=/dev/vda1 panic=5 oops=panic',
      '[  3.1] systemd[1]: Started OpenSSH server.',
      'debug: bug fixes welcome',
      'DMA-API: preallocated 65536 debug entries',
    ])
      expect(readKernelAlarm(line)).toBeNull();
  });
});

describe('createCrashWatch', () => {
  it('keeps the oops as the signature and not the panic that ends it', () => {
    const watch = createCrashWatch();
    for (const line of [
      'ordinary',
      'BUG: kernel NULL pointer dereference, address: 0000000000000000',
      'Oops: Oops: 0000 [#1] SMP NOPTI',
      'RIP: 0010:hmm_vma_walk_pmd+0x2a3/0x7c0',
      'Kernel panic - not syncing: Fatal exception',
    ])
      watch.push(line);
    expect(watch.crash()).toEqual({
      signature: 'BUG: kernel NULL pointer dereference in hmm_vma_walk_pmd',
      firstLine: 1,
    });
  });

  it('collects each warning once and reports no crash for them', () => {
    const watch = createCrashWatch();
    watch.push('WARNING: suspicious RCU usage');
    watch.push('WARNING: suspicious RCU usage');
    expect(watch.warnings()).toEqual(['lockdep: suspicious RCU usage']);
    expect(watch.crash()).toBeNull();
  });
});
