import { CALL_TRACE, INSTRUCTION } from '../frames.js';
import { calledByDispatcher, waitsFor } from '../hangs.js';
import { FROM_INSTRUCTION, FROM_STACK, type CrashKind } from '../kind.js';

const TIMER = /apic_timer_interrupt/;

/** Tasks and CPUs that do not go on. Kernel sources: kernel/hung_task.c, kernel/watchdog.c, kernel/rcu/tree_stall.h. */
export const HANGS: readonly CrashKind[] = [
  {
    type: 'lockup',
    severity: 'crash',
    has: 'BUG: ',
    header: /^BUG: soft lockup/,
    title: 'BUG: soft lockup in {fn}',
    steps: FROM_INSTRUCTION,
    choose: calledByDispatcher,
  },
  {
    type: 'lockup',
    severity: 'crash',
    has: 'atchdog detected hard LOCKUP',
    header: /^atchdog detected hard LOCKUP/,
    title: 'hard lockup in {fn}',
    steps: FROM_INSTRUCTION,
    choose: calledByDispatcher,
  },
  {
    // What the timer interrupted is what the CPU was busy with.
    type: 'rcu-stall',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: rcu_[a-z_]{1,32} (?:self-)?detected(?: expedited)? stall/,
    title: 'INFO: rcu detected stall in {fn}',
    steps: [TIMER, INSTRUCTION, 'stack'],
    otherwise: [
      [/apic_timer_interrupt|Exception stack|el1h_64_irq/, 'stack'],
      // Another CPU noticed it, and made this one tell by an NMI.
      [/NMI backtrace for cpu/, INSTRUCTION, CALL_TRACE, 'stack'],
    ],
    skip: /apic_timer_interrupt|rcu|nmi/,
    choose: calledByDispatcher,
  },
  {
    type: 'task-hang',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: task .{1,100} blocked (?:in I\/O wait )?for more than \d{1,10} seconds/,
    title: 'INFO: task hung in {fn}',
    steps: FROM_STACK,
    choose: waitsFor,
  },
  {
    // The name of a task may contain anything, a line end too.
    type: 'task-hang',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: task [^:]{0,15}[^ -~][^:]{0,15}$/,
    details: [/:\d{1,10} blocked (?:in I\/O wait )?for more than \d{1,10} seconds/],
    title: 'INFO: task hung in {fn}',
    steps: FROM_STACK,
    choose: waitsFor,
  },
  {
    type: 'task-hang',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: task .{1,100} can't die for more than .{1,20} seconds/,
    title: "INFO: task can't die in {fn}",
    steps: [CALL_TRACE, 'stack'],
    skip: /schedule/,
  },
];
