import { cleanText } from '../schema/text.js';

/**
 * Characters of a line that are looked at. A record of printk has at most 2048; a console that lost line ends
 * may put several into one line.
 */
export const ALARM_LINE_MAX = 8192;
/** Longest title and signature, in characters. */
export const ALARM_TITLE_MAX = 300;

/** What a kernel log line says about the health of the kernel that wrote it. */
export interface KernelAlarm {
  /** `crash` ends the kernel (with oops=panic); `warning` taints what ran while it was printed. */
  kind: 'crash' | 'warning';
  title: string;
}

interface Rule {
  kind: KernelAlarm['kind'];
  pattern: RegExp;
  /** Builds the title from the match; addresses, pids and CPUs are left out so that titles repeat. */
  title: (match: RegExpExecArray) => string;
}

const whole = (match: RegExpExecArray): string => match[1] ?? match[0];

/**
 * First match wins. A new rule comes with a line in the corpus of crash.test.ts. Every repetition has a maximum, so
 * that a match that fails costs little at each place where it may begin.
 */
const RULES: readonly Rule[] = [
  { kind: 'crash', pattern: /(BUG: kernel NULL pointer dereference)/, title: whole },
  { kind: 'crash', pattern: /(BUG: unable to handle page fault)/, title: whole },
  { kind: 'crash', pattern: /(BUG: unable to handle kernel [a-z ]{1,100})/, title: (m) => whole(m).trim() },
  { kind: 'crash', pattern: /(kernel BUG at [^ !]{1,200})!/, title: whole },
  {
    kind: 'crash',
    pattern: /(BUG: KASAN: [a-z-]{1,60})(?: in ([a-zA-Z0-9_.]{1,128}))?/,
    title: (m) => (m[2] === undefined ? whole(m) : `${whole(m)} in ${m[2]}`),
  },
  { kind: 'crash', pattern: /(general protection fault)/, title: whole },
  { kind: 'crash', pattern: /(divide error)/, title: whole },
  { kind: 'crash', pattern: /(stack segment|invalid opcode): [0-9a-f]{4} \[#/, title: whole },
  { kind: 'crash', pattern: /watchdog: (BUG: soft lockup)/, title: whole },
  { kind: 'crash', pattern: /(?:watchdog: )?(Watchdog detected hard LOCKUP)/i, title: () => 'hard lockup' },
  {
    kind: 'crash',
    pattern: /Kernel panic - not syncing: (.{1,120})/,
    title: (m) =>
      `panic: ${whole(m)
        .replace(/0x[0-9a-f]+/g, '0x…')
        .trim()}`,
  },
  { kind: 'crash', pattern: /(Oops): [0-9a-f#]/, title: whole },
  {
    kind: 'warning',
    pattern: /INFO: task ([^ :]{1,64})[^ ]{0,32}:\d{1,10} blocked for more than/,
    title: (m) => `task ${whole(m)} hung`,
  },
  { kind: 'warning', pattern: /INFO: rcu_[a-z]{1,32} (?:self-)?detected/, title: () => 'RCU stall' },
  {
    kind: 'warning',
    pattern: /WARNING: possible (circular locking dependency|recursive locking|irq lock inversion)/,
    title: (m) => `lockdep: ${whole(m)}`,
  },
  {
    kind: 'warning',
    pattern: /WARNING: (suspicious RCU usage|bad unlock balance|inconsistent lock state)/,
    title: (m) => `lockdep: ${whole(m)}`,
  },
  {
    // Both shapes in use: "WARNING: CPU: 0 PID: 1 at FILE:LINE FUNCTION" and, since 6.17, "WARNING: FILE:LINE at FUNCTION".
    kind: 'warning',
    pattern:
      /WARNING: (?:CPU: \d{1,6} PID: \d{1,10} at )?([a-zA-Z0-9_./-]{1,200}:\d{1,7})(?: at)? ([a-zA-Z0-9_.]{1,128})/,
    title: (m) => `WARNING at ${whole(m)} ${m[2] ?? ''}`.trim(),
  },
  { kind: 'warning', pattern: /(BUG: sleeping function called from invalid context)/, title: whole },
  { kind: 'warning', pattern: /(BUG: scheduling while atomic)/, title: whole },
  {
    kind: 'warning',
    pattern: /DMA-API: .{0,200}?(device driver [a-zA-Z ]{1,120})/,
    title: (m) => `DMA-API: ${whole(m).trim()}`,
  },
  { kind: 'warning', pattern: /(DMAR: \[DMA (?:Read|Write)[A-Z_ ]{0,40}\])/, title: whole },
  { kind: 'warning', pattern: /(AMD-Vi: Event logged)/, title: whole },
  { kind: 'warning', pattern: /(AER: .{0,40}error)/, title: whole },
  { kind: 'warning', pattern: /(BUG: Bad (?:page state|rss-counter state|page map))/, title: whole },
  { kind: 'warning', pattern: /kmemleak: (\d{1,10}) new suspected memory leaks/, title: () => 'kmemleak' },
];

const INSTRUCTION_POINTER = /RIP: [0-9a-f]{4}:([a-zA-Z_][a-zA-Z0-9_.]{0,127})\+0x/;

function placeOf(line: string): string | null {
  const place = INSTRUCTION_POINTER.exec(line.slice(0, ALARM_LINE_MAX))?.[1];
  return place === undefined ? null : cleanText(place, ALARM_TITLE_MAX);
}

/** What a line of a kernel log says, or null for an ordinary line. Looks at its first ALARM_LINE_MAX characters. */
export function readKernelAlarm(text: string): KernelAlarm | null {
  const line = text.length > ALARM_LINE_MAX ? text.slice(0, ALARM_LINE_MAX) : text;
  for (const rule of RULES) {
    const match = rule.pattern.exec(line);
    if (match !== null) return { kind: rule.kind, title: cleanText(rule.title(match), ALARM_TITLE_MAX) };
  }
  return null;
}

/** Different warnings that a watch remembers. */
const WARNINGS_MAX = 1000;

export interface CrashReport {
  signature: string;
  /** Index of the first line of the report within what was pushed, counted from 0. */
  firstLine: number;
}

/**
 * Watches a console and condenses what it says into one signature: the first crash title plus the
 * function at the first instruction pointer after it. The panic that ends an oops does not replace
 * the oops. Push every line in order; ask at the end.
 */
export function createCrashWatch(): {
  push: (line: string) => KernelAlarm | null;
  crash: () => CrashReport | null;
  warnings: () => string[];
} {
  let count = 0;
  let title: string | null = null;
  let place: string | null = null;
  let firstLine = 0;
  const warnings = new Set<string>();
  return {
    push(line) {
      const alarm = readKernelAlarm(line);
      if (alarm?.kind === 'crash' && title === null) {
        title = alarm.title;
        firstLine = count;
      } else if (alarm?.kind === 'warning' && title === null) {
        if (warnings.size < WARNINGS_MAX) warnings.add(alarm.title);
      }
      if (title !== null && place === null) place = placeOf(line);
      count += 1;
      return alarm;
    },
    crash() {
      if (title === null) return null;
      const named = place === null || title.includes(' in ') || title.startsWith('kernel BUG at');
      return { signature: named ? title : `${title} in ${place}`, firstLine };
    },
    warnings: () => [...warnings],
  };
}
