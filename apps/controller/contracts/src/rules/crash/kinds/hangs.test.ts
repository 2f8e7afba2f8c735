import { describe, expect, it } from 'vitest';
import { stack, SYSCALL, trap, type KernelReportCase, summaries } from '../../../testing/kernel-reports.js';

const CASES: KernelReportCase[] = [
  [
    'INFO: task hung in p2pvram_drain_ring',
    'task-hang',
    'warning',
    [
      'INFO: task p2p-test:412 blocked for more than 122 seconds.',
      '      Not tainted 7.3.4-peerlab #1',
      'task:p2p-test state:D stack:0 pid:412',
      ...stack('__schedule', 'schedule', 'schedule_timeout', 'wait_for_completion', 'p2pvram_drain_ring'),
    ],
  ],
  [
    'INFO: task hung in blkdev_issue_flush',
    'task-hang',
    'warning',
    [
      'INFO: task sync:77 blocked in I/O wait for more than 122 seconds.',
      ...stack('__schedule', 'io_schedule', 'blk_wait_io', 'blkdev_issue_flush'),
    ],
  ],
  // Wherever a grace period is waited for, it is the same fault.
  [
    'INFO: task hung in synchronize_rcu',
    'task-hang',
    'warning',
    [
      'INFO: task rmmod:78 blocked for more than 122 seconds.',
      ...stack('__schedule', 'synchronize_srcu', 'p2pvram_exit'),
    ],
  ],
  // The panic that ends a report is not its title.
  [
    'INFO: task hung in p2pvram_drain_ring',
    'task-hang',
    'crash',
    [
      'INFO: task p2p-test:412 blocked for more than 122 seconds.',
      ...stack('__schedule', 'schedule', 'p2pvram_drain_ring'),
      'Kernel panic - not syncing: hung_task: blocked tasks',
      ...stack('dump_stack_lvl', 'panic', 'watchdog'),
    ],
  ],
  [
    'BUG: soft lockup in p2pvram_poll',
    'lockup',
    'crash',
    [
      'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [p2p-test:412]',
      ...trap('cpu_relax'),
      ...stack('p2pvram_spin', 'p2pvram_poll', 'vfs_ioctl', ...SYSCALL),
      'Kernel panic - not syncing: softlockup: hung tasks',
    ],
  ],
  [
    'hard lockup in p2pvram_ring',
    'lockup',
    'crash',
    [
      'watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1',
      ...trap('p2pvram_ring'),
      ...stack('p2pvram_ring', 'do_syscall_64'),
    ],
  ],
  [
    'INFO: rcu detected stall in p2pvram_drain',
    'rcu-stall',
    'warning',
    [
      'rcu: INFO: rcu_preempt self-detected stall on CPU',
      'rcu: \t1-....: (2100 ticks this GP) idle=5be/1/0x4000000000000000',
      'NMI backtrace for cpu 1',
      'Call Trace:',
      ' <IRQ>',
      ' dump_stack_lvl+0x1/0x2',
      ' rcu_sched_clock_irq+0x1/0x2',
      ' sysvec_apic_timer_interrupt+0x1/0x2',
      ' </IRQ>',
      ' <TASK>',
      ' asm_sysvec_apic_timer_interrupt+0x1a/0x20',
      'RIP: 0010:p2pvram_next+0x1/0x2',
      ' p2pvram_drain+0x1/0x2',
      ' vfs_write+0x1/0x2',
      ' do_syscall_64+0x1/0x2',
    ],
  ],
  [
    'INFO: rcu detected stall in p2pvram_drain',
    'rcu-stall',
    'warning',
    [
      'rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... } 21 jiffies s: 445',
      ' asm_sysvec_apic_timer_interrupt+0x1a/0x20',
      'RIP: 0010:p2pvram_next+0x1/0x2',
      ' p2pvram_drain+0x1/0x2',
      ' vfs_write+0x1/0x2',
      ...stack('do_syscall_64'),
    ],
  ],
  [
    'BUG: workqueue lockup in p2pvram_work',
    'lockup',
    'warning',
    [
      'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 56s!',
      'Showing busy workqueues and worker pools:',
      '    in-flight: 9:vmstat_update for 58s',
      'Showing backtraces of busy workers in stalled worker pools:',
      'task:kworker/0:0     state:R  running task',
      'Workqueue: events p2pvram_work',
    ],
  ],
  [
    'BUG: workqueue lockup',
    'lockup',
    'warning',
    ['BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 35s!', 'workqueue events: flags=0x100'],
  ],
  [
    'INFO: task hung in p2pvram_close',
    'task-hang',
    'warning',
    ['INFO: task a\ufffd', '\ufffd b:412 blocked for more than 143 seconds.', ...stack('schedule', 'p2pvram_close')],
  ],
];

describe('hangs', () => {
  it.each(CASES)('%s (%s, %s)', (title, type, severity, lines) => {
    expect(summaries(lines)).toEqual([[title, type, severity]]);
  });
});
