import { CALL_TRACE, INSTRUCTION, pattern } from '../frames.js';
import type { CrashKind, Step } from '../kind.js';

/** x86 traps for a warning, and names the instruction; other kernels print the stack alone. PowerPC names the interrupted one. */
const TRAPPED: readonly Step[] = [
  new RegExp(`(?:${INSTRUCTION.source}|${pattern(String.raw`--- interrupt: [0-9]{1,6} at {fn}`).source})`),
  'stack',
];
const PRINTED: readonly Step[] = [CALL_TRACE, 'stack'];

const warning = (header: string, title: string, skip?: RegExp): CrashKind => ({
  type: 'warning',
  severity: 'warning',
  has: 'WARNING: ',
  header: pattern(`^WARNING: ${header}`),
  title,
  steps: TRAPPED,
  otherwise: [PRINTED],
  ...(skip === undefined ? {} : { skip }),
});

const stackless = (header: RegExp, title: string): CrashKind => ({
  type: 'warning',
  severity: 'warning',
  has: 'WARNING: ',
  header,
  title,
  stackless: true,
});

/** `WARNING: FILE:LINE at FUNCTION, CPU#N: …` since 6.17, `WARNING: CPU: N PID: N at FILE:LINE FUNCTION` before, no function at all in between. */
const FORMS = [
  String.raw`{src} at 0x\d{1,20}, CPU#\d`,
  String.raw`.{0,100}? at {src} {fn}`,
  '{src} at {fn}',
  String.raw`\[.{0,200}\] {src} at {fn}`,
  // A function that was inlined, where addresses were looked up.
  String.raw`{src} at [a-zA-Z0-9_]{1,511} {src} \[inline\]`,
];

/** WARN() and WARN_ON(); where the checked object belongs to the caller, the caller is named. Kernel source: kernel/panic.c. */
export const WARNINGS: readonly CrashKind[] = [
  warning(
    String.raw`.{0,150}lib\/debugobjects\.c.{0,60} (?:debug_print|debug_check|at)`,
    'WARNING: ODEBUG bug in {fn}',
    /debug_|rcu|hrtimer_|timer_|work_|percpu_|vunmap|vfree|__free_|kobject_/,
  ),
  warning(
    String.raw`.{0,150}mm\/usercopy\.c.{0,60} (?:usercopy_warn|at)`,
    'WARNING: bad usercopy in {fn}',
    /usercopy|__check/,
  ),
  warning(String.raw`.{0,150}lib\/kobject\.c.{0,60} (?:kobject_|at)`, 'WARNING: kobject bug in {fn}', /kobject_/),
  warning(
    String.raw`.{0,150}fs\/proc\/generic\.c.{0,60} (?:proc_register|at)`,
    'WARNING: proc registration bug in {fn}',
    /proc_/,
  ),
  warning(
    String.raw`.{0,150}lib\/refcount\.c.{0,60} (?:refcount_|at)`,
    'WARNING: refcount bug in {fn}',
    /refcount|kobject_/,
  ),
  {
    ...warning(
      String.raw`.{0,150}kernel\/locking\/lockdep\.c.{0,60}lock_`,
      'WARNING: locking bug in {fn}',
      /lock_sock|release_sock/,
    ),
    type: 'lockdep',
  },
  warning(
    String.raw`.{0,150}mm\/.{0,60}\.c.{0,60} k?.?malloc`,
    'WARNING: kmalloc bug in {fn}',
    /kmalloc|krealloc|slab|kmem/,
  ),
  warning(String.raw`.{0,150}mm\/vmalloc.c.{0,60}__vmalloc_node`, 'WARNING: zero-size vmalloc in {fn}'),
  warning(
    String.raw`.{0,200} usb_submit_urb`,
    'WARNING in {fn}/usb_submit_urb',
    /usb_submit_urb|usb_start_wait_urb|usb_bulk_msg|usb_interrupt_msg|usb_control_msg/,
  ),
  ...FORMS.map((form) => ({ ...warning(form, 'WARNING in {fn}'), ...(form.endsWith('{fn}') ? { named: 2 } : {}) })),
  // Without CONFIG_DEBUG_BUGVERBOSE the kernel does not know the file.
  {
    ...warning(String.raw`at ([a-zA-Z_][a-zA-Z0-9_]{0,510})(?:\.[a-zA-Z0-9_.]{0,80})?\+0x`, 'WARNING in {fn}'),
    named: 1,
  },
  warning(String.raw`at 0x[0-9a-f]{1,16}, CPU#\d`, 'WARNING in {fn}'),
  // Kernels before 2.6.37.
  { ...warning('at {src} {fn}', 'WARNING in {fn}'), named: 2 },
  // The rest of the line was lost.
  warning(String.raw`CPU: \d{1,6} (?:UID: \d{1,10} )?PID: \d{1,10} at `, 'WARNING in {fn}'),
  stackless(
    /^WARNING: kernel stack regs at [0-9a-f]{1,16} in [^ ]{0,64} has bad '([^']{1,20})' value/,
    "WARNING: kernel stack regs has bad '{h1}' value",
  ),
  stackless(
    /^WARNING: kernel stack frame pointer at [0-9a-f]{1,16} in [^ ]{0,64} has bad value/,
    'WARNING: kernel stack frame pointer has bad value',
  ),
  // With the address hidden, as kernels print it before they have entropy.
  stackless(
    /^WARNING: kernel stack (?:regs|frame pointer) .{0,200} has bad/,
    'WARNING: kernel stack regs has bad value',
  ),
  // The rest of the line was lost.
  {
    type: 'warning',
    severity: 'warning',
    has: 'WARNING:',
    header: /^WARNING:\s{0,10}$/,
    title: 'WARNING: corrupted',
    cut: true,
  },
];
