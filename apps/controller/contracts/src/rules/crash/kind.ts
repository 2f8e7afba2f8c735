import { CALL_TRACE, INSTRUCTION } from './frames.js';
import type { Choice } from './hangs.js';

/** Types of reports, with what each says. */
export const CRASH_TYPES = [
  /** KASAN: use after free, out of bounds, invalid free. */
  'kasan',
  /** KMSAN: a value that was never written. */
  'kmsan',
  /** KCSAN: two accesses at the same time. */
  'kcsan',
  /** KFENCE: what KASAN finds, by samples. */
  'kfence',
  /** UBSAN: undefined behaviour, such as an index outside its array. */
  'ubsan',
  /** The slab allocator found an object or its free list overwritten. */
  'slab',
  /** An access near address zero. */
  'null-deref',
  /** An access to an address that is not mapped. */
  'page-fault',
  /** General protection fault: a non-canonical address on x86. */
  'gpf',
  /** A division by zero. */
  'divide-error',
  /** Another exception of the CPU in the kernel. */
  'oops',
  /** The stack of a task ran into its guard page, or was overwritten. */
  'stack',
  /** BUG() and BUG_ON(), and what the kernel reports under `BUG:` without a type of its own. */
  'bug',
  /** WARN() and WARN_ON(). */
  'warning',
  /** A page, a page table or a counter of an address space in a state that must not be. */
  'bad-page',
  /** lockdep: a possible deadlock, a lock held or released wrongly; it checks nothing after its first report. */
  'lockdep',
  /** RCU-protected data used without its lock. */
  'rcu-usage',
  /** Sleeping, scheduling or per-CPU access in a context that forbids it. */
  'atomic-sleep',
  /** A task that waits for more than two minutes, or cannot be killed. */
  'task-hang',
  /** A CPU that does not schedule, or does not even take interrupts. */
  'lockup',
  /** A CPU or a task that keeps RCU from ending a grace period. */
  'rcu-stall',
  /** Memory to which no pointer is left. */
  'leak',
  /** The IOMMU stopped a device's access. */
  'dma-fault',
  /** A driver breaks the rules of the DMA API. */
  'dma-api',
  /** PCIe error messages (AER) and links that were stopped (DPC). */
  'pcie-error',
  /** References to a network device that are not given back. */
  'netdev',
  /** The kernel stopped itself for another reason. */
  'panic',
] as const;
export type CrashType = (typeof CRASH_TYPES)[number];

/** How a guilty function is found: patterns are looked for in turn, each from the line behind the last. */
export type Step =
  /** Goes to the first line that matches; a group is a frame on top of the stack that follows. */
  | RegExp
  /** Takes frames until another stack starts, or the next step matches. */
  | 'stack';

/** One kind of report. */
export interface CrashKind {
  type: CrashType;
  /** `crash` ends the kernel (with oops=panic); `warning` taints what ran while it was printed. */
  severity: 'crash' | 'warning';
  /** Text that stands in the header line; `header` is matched from there on. */
  has: string;
  header: RegExp;
  /** Lines without which the report is not whole, looked for in turn behind the header. */
  details?: readonly RegExp[];
  /**
   * Title: `{h1}` is the first group of the header, `{d1}` the first of all details, `{fn}` the guilty function.
   * Where the kind has a canonical title on syzkaller's dashboards, it is that one.
   */
  title: string;
  steps?: readonly Step[];
  /** Steps when the first ones lead to no function. */
  otherwise?: readonly Step[];
  /** Helpers of this kind, beside those of all. */
  skip?: RegExp;
  /** Chooses the guilty one out of all frames; the first, if left out. */
  choose?: Choice;
  /** Group of the header that names a function when the stack was lost; the report is corrupted all the same. */
  named?: number;
  /** No stack belongs to this report. */
  stackless?: true;
  /** The header alone says that the beginning is lost. */
  cut?: true;
  /** A panic by which another report ends the kernel. */
  ends?: true;
  /** Does not begin a report inside of another one: the second line of an oops, a panic. */
  follows?: true;
  /** One line by itself; a report around it goes on. */
  aside?: true;
}

/** The faulting instruction, else the top of the stack: a call through NULL has no instruction, but a caller. */
export const FROM_INSTRUCTION: readonly Step[] = [INSTRUCTION, CALL_TRACE, 'stack'];
export const FROM_STACK: readonly Step[] = [CALL_TRACE, 'stack'];
