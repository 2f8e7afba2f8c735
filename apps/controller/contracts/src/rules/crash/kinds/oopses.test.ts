import { describe, expect, it } from 'vitest';
import { stack, SYSCALL, trap, USER, type KernelReportCase, summaries } from '../../../testing/kernel-reports.js';

const END = [
  '---[ end trace 0000000000000000 ]---',
  'Kernel panic - not syncing: Fatal exception',
  'Rebooting in 5 seconds..',
];

const CASES: KernelReportCase[] = [
  [
    'BUG: unable to handle kernel NULL pointer dereference in p2pvram_map_range',
    'null-deref',
    'crash',
    [
      'BUG: kernel NULL pointer dereference, address: 0000000000000010',
      '#PF: supervisor read access in kernel mode',
      'Oops: Oops: 0000 [#1] SMP NOPTI',
      ...trap('p2pvram_map_range'),
      ...stack('p2pvram_ioctl', ...SYSCALL),
      ...USER,
      ...END,
    ],
  ],
  // A call through NULL: the caller is to blame.
  [
    'BUG: unable to handle kernel NULL pointer dereference in p2pvram_notify',
    'null-deref',
    'crash',
    [
      'BUG: kernel NULL pointer dereference, address: 0000000000000000',
      'Oops: Oops: 0010 [#1] SMP NOPTI',
      ...trap(null),
      ...stack('p2pvram_notify', 'p2pvram_ioctl'),
    ],
  ],
  [
    'BUG: unable to handle kernel paging request in hmm_vma_walk_pmd',
    'page-fault',
    'crash',
    [
      'BUG: unable to handle page fault for address: ffffc90000010000',
      'Oops: Oops: 0002 [#1] SMP',
      ...trap('hmm_vma_walk_pmd'),
      ...stack('walk_pgd_range'),
      ...END,
    ],
  ],
  [
    'general protection fault in p2pvram_release',
    'gpf',
    'crash',
    [
      'Oops: general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] SMP KASAN',
      'KASAN: null-ptr-deref in range [0x0000000000000018-0x000000000000001f]',
      ...trap('p2pvram_release'),
      ...stack('__fput'),
      ...END,
    ],
  ],
  // memcpy faults, its caller gave it the address.
  [
    'general protection fault in p2pvram_copy',
    'gpf',
    'crash',
    ['Oops: general protection fault: 0000 [#1] SMP', ...trap('memcpy'), ...stack('p2pvram_copy', 'p2pvram_ioctl')],
  ],
  [
    'divide error in p2pvram_stripe',
    'divide-error',
    'crash',
    ['Oops: divide error: 0000 [#1] SMP', ...trap('p2pvram_stripe'), ...stack('p2pvram_ioctl')],
  ],
  [
    'stack segment fault in p2pvram_push',
    'oops',
    'crash',
    ['Oops: stack segment: 0000 [#1] SMP', ...trap('p2pvram_push'), ...stack('p2pvram_ioctl')],
  ],
  [
    'invalid opcode in p2pvram_probe',
    'oops',
    'crash',
    ['Oops: invalid opcode: 0000 [#1] SMP', ...trap('p2pvram_probe'), ...stack('really_probe')],
  ],
  [
    'int3 in p2pvram_hook',
    'oops',
    'crash',
    ['Oops: int3: 0000 [#1] SMP', ...trap('p2pvram_hook'), ...stack('p2pvram_ioctl')],
  ],
  [
    'BUG: stack guard page was hit in p2pvram_recurse',
    'stack',
    'crash',
    [
      'BUG: TASK stack guard page was hit at ffffc90000a4bff8 (stack is ffffc90000a4c000..ffffc90000a50000)',
      'Oops: stack guard page: 0000 [#1] SMP',
      ...trap('p2pvram_recurse'),
      ...stack('p2pvram_recurse', 'p2pvram_recurse', 'do_syscall_64'),
    ],
  ],
  [
    'PANIC: double fault in p2pvram_recurse',
    'stack',
    'crash',
    ['traps: PANIC: double fault, error_code: 0x0', ...trap('p2pvram_recurse'), ...stack('p2pvram_ioctl')],
  ],
  [
    'kernel BUG in p2pvram_unmap',
    'bug',
    'crash',
    [
      'kernel BUG at drivers/p2p/p2pvram.c:311!',
      'Oops: invalid opcode: 0000 [#1] SMP',
      ...trap('p2pvram_unmap'),
      ...stack('p2pvram_ioctl'),
      ...END,
    ],
  ],
  [
    'BUG: corrupted list in p2pvram_forget',
    'bug',
    'crash',
    [
      'kernel BUG at lib/list_debug.c:62!',
      'Oops: invalid opcode: 0000 [#1] SMP',
      ...trap('__list_del_entry_valid_or_report'),
      ...stack('p2pvram_forget', 'p2pvram_ioctl'),
    ],
  ],
];

describe('exceptions and BUG()', () => {
  it.each(CASES)('%s (%s, %s)', (title, type, severity, lines) => {
    expect(summaries(lines)).toEqual([[title, type, severity]]);
  });
});
