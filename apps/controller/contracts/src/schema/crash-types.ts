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
  /** PCIe errors that were not corrected (AER), and links that were stopped (DPC); hardware alarms, too. */
  'pcie-error',
  /** References to a network device that are not given back. */
  'netdev',
  /** The kernel stopped itself for another reason. */
  'panic',
] as const;
export type CrashType = (typeof CRASH_TYPES)[number];
