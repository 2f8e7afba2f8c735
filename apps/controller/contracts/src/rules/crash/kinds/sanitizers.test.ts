import { describe, expect, it } from 'vitest';
import { stack, type KernelReportCase, summaries } from '../../../testing/kernel-reports.js';

const CASES: KernelReportCase[] = [
  [
    'KASAN: slab-use-after-free Read in p2pvram_migrate_to_ram',
    'kasan',
    'warning',
    [
      'BUG: KASAN: slab-use-after-free in p2pvram_migrate_to_ram+0x1c4/0x2e0 [p2pvram]',
      'Read of size 8 at addr ffff888104a2c018 by task p2p-test/412',
      '',
      ...stack('dump_stack_lvl', 'print_report', 'kasan_report', 'p2pvram_migrate_to_ram', 'do_swap_page'),
      '',
      'Allocated by task 410:',
      ' kasan_save_stack+0x24/0x50',
      ' p2pvram_probe+0x81/0x400',
      '',
      'Freed by task 411:',
      ' kasan_save_stack+0x24/0x50',
      ' kfree+0x10/0x20',
    ],
  ],
  [
    'KASAN: slab-out-of-bounds Write in p2pvram_fill',
    'kasan',
    'warning',
    [
      'BUG: KASAN: slab-out-of-bounds in memset+0x24/0x50',
      'Write of size 512 at addr ffff888104a2c018 by task p2p-test/412',
      ...stack('kasan_report', 'memset', 'p2pvram_fill'),
    ],
  ],
  [
    'KASAN: invalid-free in p2pvram_teardown',
    'kasan',
    'warning',
    [
      'BUG: KASAN: double-free in kfree+0x9a/0x2b0',
      'Free of addr ffff888104a2c000 by task p2p-test/412',
      ...stack('kasan_report_invalid_free', 'kfree', 'p2pvram_teardown'),
    ],
  ],
  [
    'KMSAN: uninit-value in p2pvram_hash',
    'kmsan',
    'warning',
    [
      'BUG: KMSAN: uninit-value in memcmp+0x11/0x20',
      ' memcmp+0x11/0x20',
      ' p2pvram_hash+0x31/0x90',
      '',
      'Uninit was created at:',
      ' p2pvram_probe+0x81/0x400',
    ],
  ],
  // As kernels up to 5.x of the sanitizer's own tree have it: the stack has a head, and the tool's frames on top.
  [
    'KMSAN: uninit-value in p2pvram_hash',
    'kmsan',
    'warning',
    [
      'BUG: KMSAN: uninit-value in memcmp+0x11/0x20',
      'CPU: 0 PID: 3 Comm: kworker/0:0 Not tainted 4.16.0+ #82',
      'Call Trace:',
      ' dump_stack+0x185/0x1d0',
      ' kmsan_report+0x142/0x240',
      ' __msan_warning_32+0x6c/0xb0',
      ' memcmp+0x11/0x20',
      ' p2pvram_hash+0x31/0x90',
      '',
      'Local variable description: ----buf@p2pvram_probe',
      'Variable was created at:',
      ' p2pvram_probe+0x81/0x400',
    ],
  ],
  [
    'KCSAN: data-race in p2pvram_get / p2pvram_put',
    'kcsan',
    'warning',
    ['BUG: KCSAN: data-race in p2pvram_get+0x11/0x20 / p2pvram_put+0x42/0x80'],
  ],
  [
    'KFENCE: use-after-free read in p2pvram_show',
    'kfence',
    'warning',
    [
      'BUG: KFENCE: use-after-free read in p2pvram_show+0x18/0x40',
      '',
      'Use-after-free read at 0xffff8c2aae248000 (in kfence-#35):',
      ' p2pvram_show+0x18/0x40',
    ],
  ],
  [
    'KFENCE: invalid free in p2pvram_teardown',
    'kfence',
    'warning',
    ['BUG: KFENCE: invalid free in p2pvram_teardown+0xb4/0x17e', ' p2pvram_teardown+0xb4/0x17e'],
  ],
  [
    'UBSAN: array-index-out-of-bounds in p2pvram_slot',
    'ubsan',
    'warning',
    [
      'UBSAN: array-index-out-of-bounds in drivers/p2p/p2pvram.c:263:56',
      "index 4 is out of range for type 'slot [4]'",
      ...stack('dump_stack_lvl', 'ubsan_epilogue', '__ubsan_handle_out_of_bounds', 'p2pvram_slot'),
    ],
  ],
  [
    'UBSAN: shift-out-of-bounds in p2pvram_order',
    'ubsan',
    'warning',
    [
      'UBSAN: shift-out-of-bounds in drivers/p2p/p2pvram.c:77:9',
      ...stack('ubsan_epilogue', '__ubsan_handle_shift_out_of_bounds', 'p2pvram_order'),
    ],
  ],
  [
    'memory leak in p2pvram_open',
    'leak',
    'warning',
    [
      'BUG: memory leak',
      'unreferenced object 0xffff888104a2c000 (size 96):',
      '  backtrace (crc c9a1c131):',
      '    __kmalloc_cache_noprof+0x42f/0x5e0',
      '    kmem_cache_alloc+0x1/0x2',
      '    p2pvram_open+0x57/0x110',
    ],
  ],
  ['memory leak', 'leak', 'warning', ['kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)']],
];

describe('sanitizers and leaks', () => {
  it.each(CASES)('%s (%s, %s)', (title, type, severity, lines) => {
    expect(summaries(lines)).toEqual([[title, type, severity]]);
  });
});
