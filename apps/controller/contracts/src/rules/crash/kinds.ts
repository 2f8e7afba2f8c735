import type { CrashKind } from './kind.js';
import { BARE_BUG, BUGS, UNKNOWN_BUG } from './kinds/bugs.js';
import { DEVICES } from './kinds/devices.js';
import { HANGS } from './kinds/hangs.js';
import { LOCKS } from './kinds/locks.js';
import { OOPSES } from './kinds/oopses.js';
import { PANICS } from './kinds/panics.js';
import { SANITIZERS } from './kinds/sanitizers.js';
import { WARNINGS } from './kinds/warnings.js';

/** All kinds; of those that match at the same place of a line, the first with a whole report gives the title. */
const KINDS: readonly CrashKind[] = [
  ...SANITIZERS,
  ...LOCKS,
  ...OOPSES,
  ...BUGS,
  ...HANGS,
  ...WARNINGS,
  ...PANICS,
  ...DEVICES,
  BARE_BUG,
];

/** Kinds by the text that their headers contain, in their order. */
const BY_TEXT: readonly { has: string; kinds: readonly CrashKind[] }[] = [
  ...new Set(KINDS.map((kind) => kind.has)),
].map((has) => ({ has, kinds: KINDS.filter((kind) => kind.has === has) }));

/** Characters of a header, from its first word on. */
const HEADER_MAX = 512;
/** Places of one line at which a header may begin; a line that repeats a word costs no more. */
const PLACES_MAX = 4;

/** Lines that look like a header and are none. */
const SILENT: readonly RegExp[] = [
  // A user program's fault, as the kernel tells it: `traps: prog[412] trap divide error ip:…`.
  /^traps: [^[]{1,64}\[\d{1,10}\] /,
  // What is quoted is said by a program, or by a person at a prompt.
  /["'`]$/,
  // A name that ends in a word of the kernel.
  /(?:ODEBUG|Boot_DEBUG|DEBUG|xlog_status|_INFO): ?$/,
];

export interface Header {
  /** Where in the line it begins. */
  at: number;
  kinds: readonly CrashKind[];
}

/**
 * The header of a report in a message, null for an ordinary one. The leftmost counts.
 * @param printed whether the line has a prefix of printk: then it is surely a message of a kernel
 */
export function headerOf(text: string, printed: boolean): Header | null {
  let best = null as Header | null;
  for (const { has, kinds } of BY_TEXT) {
    let from = 0;
    for (let place = 0; place < PLACES_MAX; place += 1) {
      const at = text.indexOf(has, from);
      if (at === -1 || (best !== null && at > best.at)) break;
      const matching = matchingAt(kinds, text, at);
      if (matching.length > 0) {
        best = best?.at === at ? { at, kinds: [...best.kinds, ...matching] } : { at, kinds: matching };
        break;
      }
      from = at + 1;
    }
  }
  return best ?? unknownBug(text, printed);
}

function matchingAt(kinds: readonly CrashKind[], text: string, at: number): CrashKind[] {
  const before = text.slice(Math.max(0, at - 40), at);
  if (SILENT.some((silent) => silent.test(before) || silent.test(text.slice(0, 100)))) return [];
  const header = text.slice(at, at + HEADER_MAX);
  return kinds.filter((kind) => kind.header.test(header));
}

const SUBSYSTEM = /^[A-Za-z0-9_ -]{1,24}: (?=BUG: )/;

/** `BUG:` without a kind counts only where a message begins: programs write the word too. */
function unknownBug(text: string, printed: boolean): Header | null {
  const at = text.startsWith('[ BUG: ') ? 2 : printed ? (SUBSYSTEM.exec(text)?.[0].length ?? 0) : 0;
  return text.startsWith(UNKNOWN_BUG.has, at) ? { at, kinds: [UNKNOWN_BUG] } : null;
}
