import { describe, expect, it } from 'vitest';
import { stack, type KernelReportCase, summaries } from '../../../testing/kernel-reports.js';

const CASES: KernelReportCase[] = [
  [
    'possible deadlock in p2pvram_migrate',
    'lockdep',
    'warning',
    [
      'WARNING: possible circular locking dependency detected',
      '7.3.4-peerlab #1 Not tainted',
      '------------------------------------------------------',
      'p2p-test/412 is trying to acquire lock:',
      'ffff888104a2c958 (&dev->map_lock){+.+.}-{4:4}, at: p2pvram_migrate+0x49a/0x1a10',
      '',
      'but task is already holding lock:',
      'ffff888104a2c428 (&mm->mmap_lock){++++}-{4:4}, at: p2pvram_fault+0x16c/0xac0',
      'the existing dependency chain (in reverse order) is:',
      '-> #1 (&mm->mmap_lock){++++}-{4:4}:',
      '       lock_acquire+0x120/0x360',
      '       p2pvram_pin+0x72/0x100',
      'stack backtrace:',
      ...stack('dump_stack_lvl', 'print_circular_bug', 'p2pvram_migrate'),
    ],
  ],
  [
    'possible deadlock in p2pvram_pin',
    'lockdep',
    'warning',
    [
      'WARNING: possible recursive locking detected',
      'p2p-test/412 is trying to acquire lock:',
      'ffff8881 (&dev->map_lock){+.+.}-{4:4}, at: p2pvram_pin+0x4/0x10',
      ...stack('print_deadlock_bug', 'p2pvram_pin'),
    ],
  ],
  [
    'possible deadlock in p2pvram_irq',
    'lockdep',
    'warning',
    [
      'WARNING: possible irq lock inversion dependency detected',
      'swapper/0/0 just changed the state of lock:',
      'ffff8881 (&ring->lock){..-.}-{3:3}, at: p2pvram_irq+0x4/0x10',
      ...stack('mark_lock_irq', 'p2pvram_irq'),
    ],
  ],
  [
    'possible deadlock in p2pvram_tasklet',
    'lockdep',
    'warning',
    [
      'WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected',
      'p2p-test/412 [HC0[0]:SC0[2]:HE0:SE0] is trying to acquire:',
      'which became SOFTIRQ-irq-safe at:',
      '  lock_acquire+0x120/0x360',
      '  _raw_spin_lock+0x2e/0x40',
      '  p2pvram_tasklet+0x72/0x100',
      'stack backtrace:',
      ...stack('check_irq_usage', 'p2pvram_pin'),
    ],
  ],
  [
    'inconsistent lock state in p2pvram_poll',
    'lockdep',
    'warning',
    [
      'WARNING: inconsistent lock state',
      'p2p-test/412 [HC0[0]:SC0[0]:HE1:SE1] takes:',
      'ffff8881 (&ring->lock){+.?.}-{3:3}, at: p2pvram_poll+0x4/0x10',
      ...stack('print_usage_bug', 'lock_acquire', 'p2pvram_poll'),
    ],
  ],
  [
    'WARNING: locking bug in p2pvram_irq',
    'lockdep',
    'warning',
    [
      '[ BUG: Invalid wait context ]',
      '7.3.4-peerlab #1 Not tainted',
      ...stack('dump_stack_lvl', 'lock_acquire', 'p2pvram_irq'),
    ],
  ],
  [
    'WARNING: locking bug in p2pvram_wait',
    'lockdep',
    'warning',
    [
      'DEBUG_LOCKS_WARN_ON(1)',
      'WARNING: kernel/locking/lockdep.c:232 at __lock_acquire+0x1c4/0x2e0, CPU#1: p2p-test/412',
      ...stack('lock_acquire', '_raw_spin_lock', 'p2pvram_wait', 'p2pvram_ioctl'),
    ],
  ],
  [
    'WARNING: bad contention in p2pvram_wait',
    'lockdep',
    'warning',
    [
      'WARNING: bad contention detected!',
      '7.3.4-peerlab #1 Not tainted',
      'p2p-test/412 is trying to contend lock (&ctx->lock) at:',
      '[<ffffffffc0001234>] p2pvram_wait+0x4/0x10',
      'but there are no locks held!',
      ...stack('dump_stack_lvl', 'lock_contended', '__mutex_lock', 'p2pvram_wait', 'p2pvram_ioctl'),
    ],
  ],
  [
    // An older arm puts more blanks behind the address.
    'possible deadlock in p2pvram_log',
    'lockdep',
    'warning',
    [
      '[ INFO: possible circular locking dependency detected ]',
      'p2p-test/412 is trying to acquire lock:',
      ' (&port_lock){-.-...}, at: [<c036a6dc>]     p2pvram_log+0x108/0x134',
      ...stack('dump_stack', 'print_circular_bug', 'lock_acquire', 'p2pvram_log'),
    ],
  ],
  [
    'WARNING: held lock freed in p2pvram_open',
    'lockdep',
    'warning',
    [
      'WARNING: held lock freed!',
      'p2p-test/412 is freeing memory ffff8881-ffff8882, with a lock still held there!',
      'ffff8881 (&ctx->lock){+.+.}-{4:4}, at: p2pvram_open+0x4/0x10',
      ...stack('debug_check_no_locks_freed', 'kfree'),
    ],
  ],
  [
    'WARNING: still has locks held in p2pvram_wait',
    'lockdep',
    'warning',
    [
      'WARNING: p2p-test/412 still has locks held!',
      '1 lock held by p2p-test/412:',
      ' #0: ffff8881 (&ctx->lock){+.+.}-{4:4}, at: p2pvram_wait+0x4/0x10',
      ...stack('debug_check_no_locks_held'),
    ],
  ],
  [
    'WARNING: lock held when returning to user space in p2pvram_begin',
    'lockdep',
    'warning',
    [
      'WARNING: lock held when returning to user space!',
      'p2p-test/412 is leaving the kernel with locks still held!',
      '1 lock held by p2p-test/412:',
      ' #0: ffff8881 (&ctx->lock){+.+.}-{4:4}, at: p2pvram_begin+0x4/0x10',
    ],
  ],
  [
    'WARNING: nested lock was not taken in p2pvram_pair',
    'lockdep',
    'warning',
    ['WARNING: Nested lock was not taken', 'p2p-test/412 is trying to lock:', ...stack('lock_acquire', 'p2pvram_pair')],
  ],
  [
    'WARNING: bad unlock balance in p2pvram_end',
    'lockdep',
    'warning',
    [
      'WARNING: bad unlock balance detected!',
      'p2p-test/412 is trying to release lock (&ctx->lock) at:',
      '[<ffffffffc0401234>] p2pvram_end+0x4/0x10',
      'but there are no more locks to release!',
      ...stack('print_unlock_imbalance_bug', 'p2pvram_end'),
    ],
  ],
  [
    'INFO: trying to register non-static key in p2pvram_probe',
    'lockdep',
    'warning',
    [
      'INFO: trying to register non-static key.',
      'The code is fine but needs lockdep annotation, or maybe',
      ...stack('dump_stack_lvl', 'register_lock_class', 'lock_acquire', '_raw_spin_lock', 'p2pvram_probe'),
    ],
  ],
  [
    'BUG: MAX_LOCKDEP_CHAINS too low!',
    'lockdep',
    'warning',
    ['BUG: MAX_LOCKDEP_CHAINS too low!', 'turning off the locking correctness validator.'],
  ],
  [
    'WARNING: suspicious RCU usage in p2pvram_lookup',
    'rcu-usage',
    'warning',
    [
      'WARNING: suspicious RCU usage',
      '7.3.4-peerlab #1 Not tainted',
      'drivers/p2p/p2pvram.c:177 suspicious rcu_dereference_check() usage!',
      ...stack('dump_stack_lvl', 'lockdep_rcu_suspicious', 'p2pvram_lookup'),
    ],
  ],
  [
    'BUG: spinlock bad magic in p2pvram_ring',
    'lockdep',
    'warning',
    [
      'BUG: spinlock bad magic on CPU#1, p2p-test/412',
      ' lock: 0xffff8881, .magic: 00000000, .owner: <none>/-1, .owner_cpu: 0',
      ...stack('spin_dump', 'do_raw_spin_lock', 'p2pvram_ring'),
    ],
  ],
  [
    'BUG: using smp_processor_id() in preemptible code in p2pvram_stat',
    'atomic-sleep',
    'warning',
    [
      'BUG: using smp_processor_id() in preemptible [00000000] code: p2p-test/412',
      'caller is p2pvram_stat+0x11/0x40',
      ...stack('dump_stack_lvl', 'check_preemption_disabled', 'debug_smp_processor_id', 'p2pvram_stat'),
    ],
  ],
  [
    'BUG: sleeping function called from invalid context in p2pvram_irq',
    'atomic-sleep',
    'warning',
    [
      'BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591',
      ...stack('__might_resched', '__mutex_lock', 'p2pvram_irq'),
    ],
  ],
  [
    'BUG: scheduling while atomic in p2pvram_wait',
    'atomic-sleep',
    'warning',
    [
      'BUG: scheduling while atomic: p2p-test/412/0x00000002',
      ...stack('__schedule_bug', '__schedule', 'schedule', 'p2pvram_wait'),
    ],
  ],
];

describe('locks and contexts', () => {
  it.each(CASES)('%s (%s, %s)', (title, type, severity, lines) => {
    expect(summaries(lines)).toEqual([[title, type, severity]]);
  });
});
