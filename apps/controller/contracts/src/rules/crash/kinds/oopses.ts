import { CALL_TRACE, INSTRUCTION } from '../frames.js';
import { calledByDispatcher } from '../hangs.js';
import { FROM_INSTRUCTION, FROM_STACK, type CrashKind } from '../kind.js';

/** Number and names of an exception: `0000 [#1] SMP NOPTI`. */
const CODE = String.raw`: {1,2}[0-9a-f]{4,16} \[#\d`;

/** Exceptions of the CPU in the kernel. Kernel sources: arch/x86/kernel/traps.c, arch/x86/mm/fault.c, arch/arm64/mm/fault.c. */
export const OOPSES: readonly CrashKind[] = [
  {
    type: 'null-deref',
    severity: 'crash',
    has: 'BUG: ',
    header: /^BUG: (?:unable to handle )?[kK]ernel NULL pointer dereference/,
    title: 'BUG: unable to handle kernel NULL pointer dereference in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'page-fault',
    severity: 'crash',
    has: 'BUG: ',
    header:
      /^BUG: (?:unable to handle kernel paging request|unable to handle page fault for address|Unable to handle kernel data access)/,
    title: 'BUG: unable to handle kernel paging request in {fn}',
    steps: FROM_INSTRUCTION,
  },
  // The second half is printed by a call of its own, and may be lost.
  {
    type: 'page-fault',
    severity: 'crash',
    has: 'BUG: ',
    header: /^BUG: [uU]nable to handle kernel/,
    title: 'BUG: unable to handle kernel',
    cut: true,
  },
  // arm and arm64.
  {
    type: 'null-deref',
    severity: 'crash',
    has: 'Unable to handle kernel',
    header: /^Unable to handle kernel (NULL pointer dereference)/,
    title: 'BUG: unable to handle kernel {h1} in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'page-fault',
    severity: 'crash',
    has: 'Unable to handle kernel',
    header: /^Unable to handle kernel (paging request|access to user memory)/,
    title: 'BUG: unable to handle kernel {h1} in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    // `prog[412] general protection fault ip:… error:0 in prog[…]` is a user program's.
    type: 'gpf',
    severity: 'crash',
    has: 'general protection fault',
    header: /^general protection fault(?! ip:)[^:]{0,200}:(?![0-9a-f]{4,16} sp:)/,
    title: 'general protection fault in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'divide-error',
    severity: 'crash',
    has: 'divide error: ',
    header: /^divide error: /,
    title: 'divide error in {fn}',
    steps: [INSTRUCTION],
    otherwise: [FROM_STACK],
  },
  {
    type: 'divide-error',
    severity: 'crash',
    has: 'divide_error: ',
    header: /^divide_error: /,
    title: 'divide error in {fn}',
    steps: [INSTRUCTION],
    otherwise: [FROM_STACK],
  },
  {
    type: 'oops',
    severity: 'crash',
    has: 'stack segment: ',
    header: /^stack segment: /,
    title: 'stack segment fault in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    // BUG() is one too: its header comes first.
    type: 'oops',
    severity: 'crash',
    has: 'invalid opcode: ',
    header: /^invalid opcode: /,
    title: 'invalid opcode in {fn}',
    steps: [INSTRUCTION],
    otherwise: [FROM_STACK],
    follows: true,
  },
  {
    // The second line of a page fault, or all that is left of it.
    type: 'oops',
    severity: 'crash',
    has: 'Oops: ',
    header: new RegExp(`^Oops(?:: Oops|: stack guard page)?${CODE}`),
    title: 'Oops in {fn}',
    steps: FROM_INSTRUCTION,
    follows: true,
  },
  {
    // int3, bounds, segment not present, control protection, and what comes.
    type: 'oops',
    severity: 'crash',
    has: 'Oops: ',
    header: new RegExp(
      `^Oops: (?!general protection|divide|stack segment|invalid opcode|stack guard page|double fault)([a-zA-Z][a-zA-Z0-9 _-]{1,50})(?:, [^:]{0,100})?${CODE}`,
    ),
    title: '{h1} in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'oops',
    severity: 'crash',
    has: 'int3: ',
    header: /^int3: [0-9a-f]{4} \[#/,
    title: 'int3 in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'oops',
    severity: 'crash',
    has: 'Internal error:',
    // What other subsystems call an internal error has no number of an oops.
    header: /^Internal error: .{0,120}\[#\d/,
    title: 'Internal error in {fn}',
    steps: FROM_INSTRUCTION,
    follows: true,
  },
  {
    type: 'oops',
    severity: 'crash',
    has: 'Unhandled fault:',
    header: /^Unhandled fault: .{1,100} \(0x[0-9a-f]{1,16}\)/,
    title: 'Unhandled fault in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'oops',
    severity: 'crash',
    has: 'Alignment trap:',
    header: /^Alignment trap:/,
    title: 'Alignment trap in {fn}',
    steps: FROM_INSTRUCTION,
  },
  {
    type: 'stack',
    severity: 'crash',
    has: 'BUG: ',
    header: /^BUG: .{0,80}stack guard page was hit at/,
    title: 'BUG: stack guard page was hit in {fn}',
    steps: [INSTRUCTION, CALL_TRACE, 'stack'],
    choose: calledByDispatcher,
  },
  {
    type: 'stack',
    severity: 'crash',
    has: 'PANIC: double fault',
    header: /^PANIC: double fault/,
    title: 'PANIC: double fault in {fn}',
    steps: [INSTRUCTION],
    otherwise: [FROM_STACK],
    follows: true,
  },
  {
    // The second line of a double fault, or all that is left of it.
    type: 'stack',
    severity: 'crash',
    has: 'Oops: ',
    header: new RegExp(`^Oops: double fault${CODE}`),
    title: 'PANIC: double fault in {fn}',
    steps: FROM_INSTRUCTION,
    follows: true,
  },
  {
    type: 'oops',
    severity: 'crash',
    has: 'rust_kernel: panicked',
    header: /^rust_kernel: panicked at/,
    details: [/^(.{1,200})$/],
    title: '{d1} in {fn}',
    steps: FROM_STACK,
    skip: /__rustc|rust_begin_unwind|core.{0,20}panicking/,
  },
];
