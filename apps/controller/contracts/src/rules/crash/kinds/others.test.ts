import { describe, expect, it } from 'vitest';
import { stack, trap, type KernelReportCase, summaries } from '../../../testing/kernel-reports.js';

const CASES: KernelReportCase[] = [
  [
    'WARNING in memremap_pages',
    'warning',
    'warning',
    [
      'WARNING: mm/memremap.c:158 at memremap_pages+0x1ad/0x47a, CPU#1: hmm-tests/246',
      'Modules linked in: test_hmm',
      ...trap('memremap_pages'),
      ...stack('dmirror_allocate_chunk'),
    ],
  ],
  [
    'WARNING in p2pvram_exit',
    'warning',
    'warning',
    [
      'WARNING: CPU: 0 PID: 77 at drivers/p2p/p2pvram.c:58 p2pvram_exit+0x1f/0x30',
      ...trap('p2pvram_exit'),
      ...stack('__do_sys_delete_module'),
    ],
  ],
  [
    'WARNING in p2pvram_show',
    'warning',
    'warning',
    ['WARNING: drivers/p2p/p2pvram.c:61 at 0x0, CPU#0: cat/80', ...trap('p2pvram_show'), ...stack('seq_read_iter')],
  ],
  [
    'WARNING in p2pvram_map',
    'warning',
    'warning',
    [
      'WARNING: at p2pvram_map.isra.0+0x1f/0x30, CPU#1: p2p-test/412',
      ...trap('p2pvram_map'),
      ...stack('p2pvram_ioctl'),
    ],
  ],
  [
    'WARNING in p2pvram_map',
    'warning',
    'warning',
    ['WARNING: at 0xffffffffc0001234, CPU#1: p2p-test/412', ...trap('p2pvram_map'), ...stack('p2pvram_ioctl')],
  ],
  [
    'WARNING in p2pvram_map',
    'warning',
    'warning',
    ['WARNING: at drivers/p2p/p2pvram.c:90 p2pvram_map+0x1f/0x30()', ...stack('warn_slowpath_null', 'p2pvram_map')],
  ],
  [
    'WARNING: refcount bug in p2pvram_put',
    'warning',
    'warning',
    [
      'WARNING: lib/refcount.c:28 at refcount_warn_saturate+0xc5/0x110, CPU#1: p2p-test/412',
      ...trap('refcount_warn_saturate'),
      ...stack('p2pvram_put', 'p2pvram_ioctl'),
    ],
  ],
  [
    'WARNING: ODEBUG bug in p2pvram_remove',
    'warning',
    'warning',
    [
      'WARNING: lib/debugobjects.c:615 at debug_print_object+0x1/0x2, CPU#1: rmmod/90',
      ...trap('debug_print_object'),
      ...stack('debug_check_no_obj_freed', 'kfree', 'p2pvram_remove'),
    ],
  ],
  [
    'BUG: Bad page state in p2pvram_map_pages',
    'bad-page',
    'warning',
    [
      'BUG: Bad page state in process p2p-test  pfn:12ac8',
      'page: refcount:0 mapcount:1',
      ...stack('bad_page', 'free_unref_page'),
      'page last allocated via order 0, migratetype Movable',
      ' post_alloc_hook+0x1/0x2',
      ' get_page_from_freelist+0x1/0x2',
      ' p2pvram_map_pages+0x1/0x2',
    ],
  ],
  [
    'BUG: Bad page cache in p2pvram_fault',
    'bad-page',
    'warning',
    [
      'BUG: Bad page cache in process p2p-test  pfn:12ac8',
      ...stack('unaccount_page_cache'),
      'page last allocated via order 0',
      ' post_alloc_hook+0x1/0x2',
      ' p2pvram_fault+0x1/0x2',
    ],
  ],
  [
    'BUG: Bad rss-counter state',
    'bad-page',
    'warning',
    ['BUG: Bad rss-counter state mm:ffff888104a2c000 type:MM_ANONPAGES val:1'],
  ],
  [
    'BUG: Poison overwritten in kmalloc-NUM',
    'slab',
    'warning',
    [
      'BUG kmalloc-64 (Not tainted): Poison overwritten',
      '-----------------',
      ...stack('dump_stack_lvl', 'check_bytes_and_report'),
    ],
  ],
  [
    'BUG: workqueue leaked atomic, lock or RCU in p2pvram_work',
    'bug',
    'warning',
    [
      'BUG: workqueue leaked atomic, lock or RCU: kworker/1:1[33]',
      '     preempt=0x00000001 lock=0->0 RCU=0->0 workfn=p2pvram_work',
      '     last function: p2pvram_work',
    ],
  ],
  [
    'DMAR: DMA Write fault',
    'dma-fault',
    'warning',
    [
      'DMAR: [DMA Write PASID 0x1] Request device [05:00.0] fault addr 0xfe000000 [fault reason 0x05] PTE Write access is not set',
    ],
  ],
  [
    'DMAR: DMA Read fault',
    'dma-fault',
    'warning',
    ['DMAR: [DMA Read NO_PASID] Request device [05:00.0] fault addr 0xfe000000'],
  ],
  [
    'AMD-Vi: IO_PAGE_FAULT fault',
    'dma-fault',
    'warning',
    ['nvme 0000:05:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0012 address=0xfe000000 flags=0x0020]'],
  ],
  [
    'AER: Uncorrectable (Fatal) error',
    'pcie-error',
    'warning',
    ['pcieport 0000:00:1c.0: AER: Uncorrectable (Fatal) Error message received from 0000:05:00.0'],
  ],
  [
    'DPC: containment event',
    'pcie-error',
    'warning',
    ['pcieport 0000:00:1c.0: DPC: containment event, status:0x1f01 source:0x0000'],
  ],
  [
    'DMA-API: device driver frees DMA memory with wrong function',
    'dma-api',
    'warning',
    ['DMA-API: edu 0000:04:00.0: device driver frees DMA memory with wrong function [device address=0x1000]'],
  ],
  [
    'unregister_netdevice: waiting for DEV to become free',
    'netdev',
    'warning',
    ['unregister_netdevice: waiting for rxe0 to become free. Usage count = 2'],
  ],
  [
    'kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)',
    'panic',
    'crash',
    [
      'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
      ...stack('dump_stack_lvl', 'panic', 'mount_root_generic'),
    ],
  ],
  [
    'kernel panic: Attempted to kill init!',
    'panic',
    'crash',
    ['Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100', ...stack('panic', 'do_exit')],
  ],
  [
    "WARNING: kernel stack regs has bad 'bp' value",
    'warning',
    'warning',
    ["WARNING: kernel stack regs at ffffc90000a4fd48 in p2p-test:412 has bad 'bp' value 0000000000000001"],
  ],
  ['INFO: Allocated in p2pvram_open', 'slab', 'warning', ['INFO: Allocated in p2pvram_open+0x29/0x90']],
  [
    'BUG: non-zero pgtables_bytes on freeing mm: NUM',
    'bug',
    'warning',
    ['BUG: non-zero pgtables_bytes on freeing mm: 4096'],
  ],
  [
    'BUG: Address IPV6ADDR on device lo is missing its host route.',
    'bug',
    'warning',
    ['IPv6: BUG: Address fc00:: on device lo is missing its host route.'],
  ],
];

describe('warnings, pages, devices and panics', () => {
  it.each(CASES)('%s (%s, %s)', (title, type, severity, lines) => {
    expect(summaries(lines)).toEqual([[title, type, severity]]);
  });
});
