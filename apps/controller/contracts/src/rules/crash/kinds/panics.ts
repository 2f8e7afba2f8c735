import { pattern } from '../frames.js';
import { calledByDispatcher } from '../hangs.js';
import { FROM_STACK, type CrashKind } from '../kind.js';

const panic = (message: string, title: string, more: Partial<CrashKind> = {}): CrashKind => ({
  type: 'panic',
  severity: 'crash',
  has: 'Kernel panic - not syncing: ',
  header: pattern(`^Kernel panic - not syncing: ${message}`),
  title,
  follows: true,
  ...more,
});

/**
 * Panics. Those that `ends` marks are printed behind a report that ends the kernel because it was told to
 * (oops=panic, panic_on_warn, hung_task_panic and so on): a report that begins with one has lost its beginning.
 */
export const PANICS: readonly CrashKind[] = [
  panic('stack-protector: Kernel stack is corrupted in: {fn}', 'kernel panic: stack is corrupted in {h1}', {
    type: 'stack',
    stackless: true,
  }),
  panic('stack-protector: Kernel stack is corrupted in: [a-f0-9]', 'kernel panic: stack is corrupted in {fn}', {
    type: 'stack',
    steps: FROM_STACK,
    skip: /stack_chk/,
  }),
  panic('corrupted stack end detected inside scheduler', 'kernel panic: corrupted stack end in {fn}', {
    type: 'stack',
    steps: FROM_STACK,
    skip: /schedule|retint_kernel/,
    choose: calledByDispatcher,
  }),
  panic('kernel stack overflow', 'kernel stack overflow in {fn}', {
    type: 'stack',
    steps: FROM_STACK,
    skip: /bad_stack/,
    choose: calledByDispatcher,
  }),
  panic('Attempted to kill init!', 'kernel panic: Attempted to kill init!'),
  panic("Couldn't open N_TTY ldisc for [^ ]{1,20} --- error", "kernel panic: Couldn't open N_TTY ldisc"),
  panic('(?:Oops: )?Fatal exception', 'kernel panic: Fatal exception', { cut: true, ends: true }),
  panic(
    '(?:[A-Za-z]{1,10}: |kernel: )?(?:panic_on_warn set|[a-z]{1,10}\\.(?:panic|fault) set)',
    'kernel panic: panic_on_warn set',
    { cut: true, ends: true },
  ),
  panic('hung_task: blocked tasks', 'kernel panic: hung_task: blocked tasks', { cut: true, ends: true }),
  panic('softlockup: hung tasks', 'kernel panic: softlockup: hung tasks', { cut: true, ends: true }),
  panic('(Hard LOCKUP|hard LOCKUP|RCU Stall|panic_on_taint set|kasan\\.fault=panic set)', 'kernel panic: {h1}', {
    cut: true,
    ends: true,
  }),
  panic('(.{1,300})', 'kernel panic: {h1}'),
  {
    type: 'panic',
    severity: 'crash',
    has: 'Kernel panic',
    header: /^Kernel panic/,
    title: 'kernel panic: corrupted',
    cut: true,
    follows: true,
  },
];
