/**
 * Who is to blame for a hang. The top of the stack is where the loop or the wait happened to be; a function further
 * down is the same each time.
 */

/** One function chosen out of a stack, top first; null when the stack has none. */
export type Choice = (frames: readonly string[]) => string | null;

const anchors = (...names: string[]): RegExp => new RegExp(names.join('|'));

/** Functions that hand work on. The one that they call says what the kernel was doing. */
const DISPATCHER = anchors(
  // Syscalls, work items, kernel threads, idle.
  'process_one_work',
  'do_syscall_',
  'do_fast_syscall_',
  'sysenter_dispatch',
  'tracesys_phase2',
  'el0_svc_handler',
  'invoke_syscall',
  'ret_fast_syscall',
  'smpboot_thread_fn',
  '^kthread$',
  'start_secondary',
  'cpu_startup_entry',
  'ret_from_fork',
  'task_work_run',
  'exit_to_usermode',
  '__fput',
  // Interrupts, timers, the network's receive path.
  'do_softirq',
  'run_ksoftirqd',
  'call_timer_fn',
  '_run_timers',
  'run_timer_softirq',
  'hrtimer_run',
  'tasklet_(?:hi_)?action',
  'netif_receive_skb',
  'smp_call_function',
  // Syscalls of many meanings: their callbacks tell them apart.
  'vfs_(?:read|write|ioctl|open)',
  'vfs_iter_(?:read|write)',
  'do_iter_(?:read|write)',
  'call_(?:read|write)_iter',
  'new_sync_(?:read|write)',
  'ksys_ioctl',
  'compat_ioctl',
  'compat_sys_ioctl',
  'blkdev_(?:driver_)?ioctl',
  '^call_mmap',
  'mmap_region',
  'do_mmap',
  'do_dentry_open',
  '^(?:sys_)?(?:socketpair|connect|ioctl)',
  // Sockets.
  '^sock_(?:sendmsg|recvmsg|release|mmap|do_ioctl|ioctl)',
  '^__sock_release',
  '^compat_sock_ioctl',
  '^setsockopt$',
  'kernel_(?:setsockopt|listen|accept)',
  'sock_common_setsockopt',
  '^listen$',
  '^accept$',
  'sk_common_release',
  '^nfnetlink_rcv_msg',
  '^rtnetlink_rcv_msg',
  '^netlink_dump',
  // Page faults.
  '__do_fault',
  'do_page_fault',
  '^page_fault$',
);

/** The function that a dispatcher called, for a CPU that does not come back. */
export const calledByDispatcher: Choice = (frames) => {
  let previous = frames[0] ?? null;
  for (const frame of frames) {
    // Its variants differ, and so do their callers.
    if (frame.includes('smp_call_function')) return 'smp_call_function';
    if (DISPATCHER.test(frame)) return previous;
    previous = frame;
  }
  return null;
};

/** A grace period that does not end is one fault, wherever it is waited for. */
const GRACE_PERIOD = /synchronize_(?:s?rcu|net|sched)/;
const WAITING =
  /sched|_lock|_slowlock|down|rwsem|completion|kthread|wait|synchronize|context_switch|__switch_to|cancel_delayed_work|rcu_barrier/;

/** The function that waits, for a task that hangs. */
export const waitsFor: Choice = (frames) => {
  for (const frame of frames) {
    if (GRACE_PERIOD.test(frame)) return 'synchronize_rcu';
    if (frame.includes('rtnl_lock')) return frame;
  }
  return frames.find((frame) => !WAITING.test(frame)) ?? null;
};
