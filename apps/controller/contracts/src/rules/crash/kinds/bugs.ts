import { pattern } from '../frames.js';
import { FROM_INSTRUCTION, FROM_STACK, type CrashKind } from '../kind.js';

const WRITTEN_OVER = /^BUG ([a-zA-Z0-9_.:-]{1,64}) \([^)]{1,80}\): (.{1,80})/;

/** BUG(), bad memory, and what is reported under `BUG:`. Kernel sources: lib/bug.c, mm/memory.c, mm/slub.c, kernel/sched/core.c. */
export const BUGS: readonly CrashKind[] = [
  {
    type: 'bug',
    severity: 'crash',
    has: 'kernel BUG at ',
    header: /^kernel BUG at mm\/usercopy\.c/,
    title: 'BUG: bad usercopy in {fn}',
    steps: FROM_STACK,
    skip: /usercopy|__check/,
  },
  {
    type: 'bug',
    severity: 'crash',
    has: 'kernel BUG at ',
    header: /^kernel BUG at lib\/list_debug\.c/,
    title: 'BUG: corrupted list in {fn}',
    steps: FROM_STACK,
  },
  {
    // A panic of Rust code; its header came before.
    type: 'bug',
    severity: 'crash',
    has: 'kernel BUG at ',
    header: /^kernel BUG at rust\/helpers\/bug\.c/,
    title: 'kernel BUG in {fn}',
    steps: FROM_STACK,
    skip: /rust_begin_unwind|panicking/,
    follows: true,
  },
  {
    // Lots of skb_ wrappers check with BUG_ON what their callers have done.
    type: 'bug',
    severity: 'crash',
    has: 'kernel BUG at ',
    header: /^kernel BUG at /,
    title: 'kernel BUG in {fn}',
    steps: FROM_INSTRUCTION,
    skip: /^skb_/,
  },
  {
    // The second line of RISC-V.
    type: 'bug',
    severity: 'crash',
    has: 'Kernel BUG ',
    header: /^Kernel BUG \[#\d/,
    title: 'kernel BUG in {fn}',
    steps: FROM_INSTRUCTION,
    skip: /^skb_/,
    follows: true,
  },
  { type: 'bug', severity: 'crash', has: 'Kernel BUG ', header: /^Kernel BUG (.{1,200})/, title: 'kernel BUG {h1}' },
  {
    type: 'atomic-sleep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: sleeping function called from invalid context at/,
    title: 'BUG: sleeping function called from invalid context in {fn}',
    steps: FROM_STACK,
  },
  {
    type: 'atomic-sleep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: scheduling while atomic/,
    title: 'BUG: scheduling while atomic in {fn}',
    steps: FROM_STACK,
    skip: /schedule/,
  },
  {
    type: 'atomic-sleep',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: using ([a-z_]{1,60})\(\) in preemptible/,
    title: 'BUG: using {h1}() in preemptible code in {fn}',
    steps: FROM_STACK,
    skip: /dump_stack|preempt|debug_|processor_id|this_cpu/,
  },
  {
    type: 'lockdep',
    severity: 'warning',
    has: 'BUG: ',
    header:
      /^BUG: (spinlock|rwlock) (lockup suspected|already unlocked|recursion|cpu recursion|bad magic|wrong owner|wrong CPU|trylock failure on UP)/,
    title: 'BUG: {h1} {h2} in {fn}',
    steps: FROM_STACK,
    skip: /spin_|_lock|_unlock/,
  },
  {
    type: 'bug',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: workqueue leaked (lock or atomic|atomic, lock or RCU)/,
    details: [/last function: ([a-zA-Z0-9_]{1,128})/],
    title: 'BUG: workqueue leaked {h1} in {d1}',
    stackless: true,
  },
  {
    // Since 7.1 it shows what the stalled workers run; the first is to blame.
    type: 'lockup',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: workqueue lockup/,
    details: [
      /^Showing backtraces of busy workers in stalled worker pools/,
      /^Workqueue: [^ ]{1,64} ([a-zA-Z0-9_]{1,128})/,
    ],
    title: 'BUG: workqueue lockup in {d1}',
    stackless: true,
  },
  {
    type: 'lockup',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: workqueue lockup/,
    title: 'BUG: workqueue lockup',
    stackless: true,
  },
  // What was allocated there says more than where it was noticed.
  {
    type: 'bad-page',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: Bad page (state|cache)/,
    title: 'BUG: Bad page {h1} in {fn}',
    steps: [/page last allocated/, 'stack'],
    skip: /(?:free|put|get|update|release)_page|free_unref|^_*folio|truncate_inode_pages|page_frag_free|alloc|vmap|page_owner/,
  },
  { type: 'bad-page', severity: 'warning', has: 'BUG: ', header: /^BUG: Bad page map/, title: 'BUG: Bad page map' },
  {
    type: 'bad-page',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: Bad rss-counter state/,
    title: 'BUG: Bad rss-counter state',
    stackless: true,
  },
  {
    type: 'bad-page',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: non-zero (nr_[a-z]{1,10}) on freeing mm/,
    title: 'BUG: non-zero {h1} on freeing mm',
    stackless: true,
  },
  {
    type: 'bug',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: Dentry .{0,300} still in use \(\d{1,10}\) \[(unmount) of /,
    title: 'BUG: Dentry still in use in {h1}',
  },
  {
    type: 'leak',
    severity: 'warning',
    has: 'BUG: ',
    header: /^BUG: memory leak/,
    title: 'memory leak in {fn}',
    steps: [/backtrace(?: \(crc [0-9a-f]{0,8}\))?:/, 'stack'],
    skip: /kmemleak|mmap|kmem|slab|alloc|create_object|idr_get|list_lru_init|kv?asprintf|pcpu_create|str(?:n)?dup|memdup/,
  },
  {
    type: 'leak',
    severity: 'warning',
    has: 'kmemleak: ',
    header: /^kmemleak: \d{1,10} new suspected memory leaks/,
    title: 'memory leak',
    stackless: true,
  },
  {
    // What is left of a report of the slab allocator when its beginning was lost.
    type: 'slab',
    severity: 'warning',
    has: 'INFO: ',
    header: /^INFO: (Freed|Allocated) in (.{1,300})/,
    title: 'INFO: {h1} in {h2}',
    cut: true,
  },
  {
    type: 'slab',
    severity: 'warning',
    has: 'BUG kmalloc-',
    header: /^BUG kmalloc-.{0,100}: Object already free/,
    title: 'BUG: Object already free',
  },
  { type: 'slab', severity: 'warning', has: 'BUG ', header: WRITTEN_OVER, title: 'BUG: {h2} in {h1}' },
  {
    type: 'bug',
    severity: 'warning',
    has: 'VFS: ',
    header: /^VFS: Close: file count is 0/,
    title: 'VFS: Close: file count is zero (use-after-free)',
    stackless: true,
  },
  {
    type: 'bug',
    severity: 'warning',
    has: 'VFS: ',
    header: /^VFS: Busy inodes after unmount/,
    title: 'VFS: Busy inodes after unmount (use-after-free)',
    stackless: true,
  },
];

/** A `BUG:` that no kind knows: at the start of a message, in a box of lockdep, behind the name of a subsystem. */
export const UNKNOWN_BUG: CrashKind = {
  type: 'bug',
  severity: 'warning',
  has: 'BUG: ',
  header: pattern('^(BUG: .{1,400})'),
  title: '{h1}',
  stackless: true,
};
/** The rest of the line was lost. */
export const BARE_BUG: CrashKind = {
  type: 'bug',
  severity: 'warning',
  has: 'BUG:',
  header: /^BUG:\s{0,10}$/,
  title: 'BUG: corrupted',
  cut: true,
};
