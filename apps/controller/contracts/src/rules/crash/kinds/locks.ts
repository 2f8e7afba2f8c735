import { CALL_TRACE, pattern } from '../frames.js';
import { FROM_STACK, type CrashKind } from '../kind.js';

const AT = pattern('at: (?:{pc} {1,16})?{fn}');
const OLD_AT = pattern('at: {pc} {1,16}{fn}');
const ACQUIRE = /is trying to acquire lock/;
/** Functions that hold the lock of a work item while they run or await it: the item is to blame. */
const WORK = /process_one_work|flush_workqueue|drain_workqueue|destroy_workqueue/;

/** The reports of lockdep as they are called since 4.11 (`WARNING:`); it turns itself off behind its first one. */
const CHECKS: readonly CrashKind[] = [
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: possible circular locking dependency detected/,
    details: [ACQUIRE],
    title: 'possible deadlock in {fn}',
    steps: [AT, AT, 'stack'],
    skip: WORK,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: possible irq lock inversion dependency detected/,
    details: [/just changed the state of lock/, AT],
    title: 'possible deadlock in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: .{1,20}-safe -> .{1,20}-unsafe lock order detected/,
    title: 'possible deadlock in {fn}',
    steps: [/which became .{1,80} at:/, 'stack'],
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: possible recursive locking detected/,
    details: [ACQUIRE, AT],
    title: 'possible deadlock in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: inconsistent lock state/,
    details: [/ takes/, AT],
    title: 'inconsistent lock state in {fn}',
    steps: FROM_STACK,
    skip: /lock_sock/,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: .{0,80}still has locks held!/,
    details: [pattern('at: {fn}')],
    title: 'WARNING: still has locks held in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: lock held when returning to user space/,
    details: [/leaving the kernel with locks still held/, AT],
    title: 'WARNING: lock held when returning to user space in {d1}',
    stackless: true,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: bad unlock balance detected!/,
    title: 'WARNING: bad unlock balance in {fn}',
    steps: [pattern('{pc} {1,4}{fn}'), CALL_TRACE, 'stack'],
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: bad contention detected!/,
    title: 'WARNING: bad contention in {fn}',
    steps: FROM_STACK,
    skip: /lock_contended|lock_acquired/,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: held lock freed!/,
    details: [AT],
    title: 'WARNING: held lock freed in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: Nested lock was not taken/,
    title: 'WARNING: nested lock was not taken in {fn}',
    steps: FROM_STACK,
  },
  {
    type: 'rcu-usage',
    severity: 'warning',
    has: 'WARNING: ',
    header: /^WARNING: suspicious RCU usage/,
    details: [pattern('{src}')],
    title: 'WARNING: suspicious RCU usage in {fn}',
    steps: FROM_STACK,
    skip: /rcu|kmem|slab/,
  },
];

/** Kernels before 4.11 called the same reports INFO or BUG, and printed addresses. */
const OLDER: readonly CrashKind[] = [
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: possible (?:circular locking dependency|recursive locking) detected/,
    details: [ACQUIRE, OLD_AT],
    title: 'possible deadlock in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: possible irq lock inversion dependency detected/,
    details: [/just changed the state of lock/, OLD_AT],
    title: 'possible deadlock in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: (?:SOFT|HARD)IRQ-safe -> (?:SOFT|HARD)IRQ-unsafe lock order detected/,
    details: [/is trying to acquire/, OLD_AT],
    title: 'possible deadlock in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: inconsistent lock state/,
    details: [/ takes/, OLD_AT],
    title: 'inconsistent lock state in {d1}',
  },
  {
    type: 'rcu-usage',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: suspicious RCU usage/,
    details: [pattern('{src}')],
    title: 'INFO: suspicious RCU usage in {fn}',
    steps: FROM_STACK,
    skip: /rcu|kmem|slab/,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: .{0,80}still has locks held!/,
    details: [pattern('{pc} {1,4}{fn}')],
    title: 'BUG: still has locks held in {d1}',
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: lock held when returning to user space/,
    details: [/leaving the kernel with locks still held/, AT],
    title: 'BUG: lock held when returning to user space in {d1}',
    stackless: true,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: bad unlock balance detected!/,
    title: 'BUG: bad unlock balance in {fn}',
    steps: [pattern('{pc} {1,4}{fn}'), CALL_TRACE, 'stack'],
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: held lock freed!/,
    details: [pattern('{pc} {1,4}{fn}')],
    title: 'BUG: held lock freed in {d1}',
  },
];

/** lockdep. Kernel source: kernel/locking/lockdep.c. */
export const LOCKS: readonly CrashKind[] = [
  ...CHECKS,
  ...OLDER,
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: Invalid wait context/,
    title: 'WARNING: locking bug in {fn}',
    steps: FROM_STACK,
    skip: /lock_sock|release_sock/,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: trying to register non-static key/,
    title: 'INFO: trying to register non-static key in {fn}',
    steps: FROM_STACK,
    skip: /stack|lock|IRQ/,
  },
  // Its tables are full: nothing is checked from here on.
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^(BUG: MAX_[A-Z_]{1,40} too (?:low|high)!)/,
    title: '{h1}',
    stackless: true,
  },
];
