import { CALL_TRACE, pattern } from '../frames.js';
import { FROM_STACK, type CrashKind } from '../kind.js';

const UNINIT_CREATED = /(?:Local variable .{0,200} created at:|Uninit was created at:)/;

/** KASAN, KMSAN, KCSAN, KFENCE and UBSAN. Kernel sources: mm/kasan/report.c, mm/kmsan, kernel/kcsan, mm/kfence, lib/ubsan.c. */
export const SANITIZERS: readonly CrashKind[] = [
  {
    type: 'kasan',
    severity: 'warning',
    has: 'BUG: KASAN:',
    header: pattern('^BUG: KASAN: ([a-z-]{1,60}) in {fn}'),
    details: [/(Read|Write) (?:of size|at addr) [0-9a-f]/],
    title: 'KASAN: {h1} {d1} in {fn}',
    steps: [pattern('BUG: KASAN: [a-z-]{1,60} in {fn}'), CALL_TRACE, 'stack'],
    // Tags of the hardware are checked in an abort on arm64.
    skip: /kernel_fault|tag_check|mem_abort|^el1h?_/,
  },
  {
    type: 'kasan',
    severity: 'warning',
    has: 'BUG: KASAN:',
    header: pattern('^BUG: KASAN: (?:double-free or invalid-free|double-free|invalid-free) in {fn}'),
    title: 'KASAN: invalid-free in {fn}',
    steps: [
      pattern('BUG: KASAN: (?:double-free or invalid-free|double-free|invalid-free) in {fn}'),
      CALL_TRACE,
      'stack',
    ],
    skip: /slab_|kfree|vunmap|vfree/,
  },
  {
    type: 'kasan',
    severity: 'warning',
    has: 'BUG: KASAN:',
    header: /^BUG: KASAN: ([a-z-]{1,60}) on address/,
    details: [/(Read|Write) of size \d/],
    title: 'KASAN: {h1} {d1}',
  },
  {
    type: 'kasan',
    severity: 'warning',
    has: 'BUG: KASAN:',
    header: /^BUG: KASAN: (.{0,400})/,
    title: 'KASAN: {h1}',
    cut: true,
  },
  {
    type: 'kmsan',
    severity: 'warning',
    has: 'BUG: KMSAN:',
    header: pattern('^BUG: KMSAN: (kernel-usb-infoleak) in {fn}'),
    title: 'KMSAN: {h1} in {fn}',
    steps: ['stack', UNINIT_CREATED],
    // Older ones have a head in front of the stack.
    otherwise: [FROM_STACK],
    skip: /alloc_skb|usb_(?:start_wait_urb|bulk_msg|interrupt_msg)/,
    stackless: true,
  },
  {
    type: 'kmsan',
    severity: 'warning',
    has: 'BUG: KMSAN:',
    header: pattern('^BUG: KMSAN: ([a-z-]{1,60}) in {fn}'),
    title: 'KMSAN: {h1} in {fn}',
    steps: ['stack', UNINIT_CREATED],
    // Older ones have a head in front of the stack.
    otherwise: [FROM_STACK],
    // Ciphers are where the value is used first; who handed it to them is to blame.
    skip: /alloc_skb|netlink_ack|netlink_rcv_skb|_encrypt$|^(?:crypto|cipher|drbg|rng)_/,
    stackless: true,
  },
  {
    type: 'kmsan',
    severity: 'warning',
    has: 'BUG: KMSAN:',
    header: /^BUG: KMSAN: (.{0,400})/,
    title: 'KMSAN: {h1}',
    cut: true,
  },
  // Both functions stand in the header: `data-race in foo / bar`.
  {
    type: 'kcsan',
    severity: 'warning',
    has: 'BUG: KCSAN:',
    header: /^BUG: KCSAN: (.{1,400})/,
    title: 'KCSAN: {h1}',
    stackless: true,
  },
  {
    type: 'kfence',
    severity: 'warning',
    has: 'BUG: KFENCE:',
    header: pattern('^BUG: KFENCE: (use-after-free|out-of-bounds|invalid) (read|write) in {fn}'),
    title: 'KFENCE: {h1} {h2} in {fn}',
    steps: [pattern('BUG: KFENCE: [a-z -]{1,60} in {fn}'), 'stack'],
    stackless: true,
  },
  {
    type: 'kfence',
    severity: 'warning',
    has: 'BUG: KFENCE:',
    header: pattern('^BUG: KFENCE: (invalid free|memory corruption) in {fn}'),
    title: 'KFENCE: {h1} in {fn}',
    steps: [pattern('BUG: KFENCE: [a-z -]{1,60} in {fn}'), 'stack'],
    stackless: true,
  },
  {
    type: 'kfence',
    severity: 'warning',
    has: 'BUG: KFENCE:',
    header: /^BUG: KFENCE: (.{0,400})/,
    title: 'KFENCE: {h1}',
    cut: true,
  },
  {
    type: 'ubsan',
    severity: 'warning',
    has: 'UBSAN:',
    header: /^UBSAN: Undefined behaviour in/,
    title: 'UBSAN: undefined-behaviour in {fn}',
    steps: FROM_STACK,
    skip: /ubsan|overflow/,
  },
  {
    type: 'ubsan',
    severity: 'warning',
    has: 'UBSAN:',
    header: /^UBSAN: ([a-z][a-z -]{0,80}) in /,
    title: 'UBSAN: {h1} in {fn}',
    steps: FROM_STACK,
    skip: /ubsan|overflow/,
  },
];
