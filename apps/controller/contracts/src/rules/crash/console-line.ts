import { readConsolePrefix } from '../console-prefix.js';
import { plainText } from '../control-sequences.js';

/**
 * Characters of a line that are looked at. A record of printk has at most 2048; a console that lost line ends
 * may put several into one line.
 */
export const ALARM_LINE_MAX = 8192;

/** What stands in front of a kernel message: nothing, a time, or a time and who printed it. */
export interface ConsoleLine {
  /**
   * Who printed it: `T412` a task, `C1` a CPU in an interrupt (CONFIG_PRINTK_CALLER), `console` when only the time
   * is known, the empty text when the line has no prefix of printk. Lines of different contexts are interleaved.
   */
  context: string;
  /** The message without its prefix. */
  text: string;
  /** An address that was found on the stack, but that the unwinder does not believe in (`? foo+0x1/0x2`). */
  unsure: boolean;
}

/** A program wrote to the same console without ending its line. Only a caller makes it sure that this is printk's. */
const PRINTED_BEHIND = /\[ {0,12}\d{1,10}\.\d{1,9}\]\[ {0,9}([CT]\d{1,10})\] /;

/** What a program that shows the kernel's log as diagnostics of TAP puts before its lines. */
const SHOWN = /^(?:# ){1,3}(?=(?:<\d{1,3}>)?\[ {0,12}\d{1,10}\.\d)/;
/** Where the next message of printk begins in a line: a serial line lost the end of the one before it. */
const NEXT_MESSAGE = /(?=\[ {0,12}\d{1,10}\.\d{6}\](?:\[ {0,9}[CT]\d{1,10}\])? )/g;

/** The messages in a line, each with its own prefix; more than one only where the line is printk's and lost line ends. */
export function messagesIn(raw: string): string[] {
  // Two prefixes end in two of these; most lines have one, and are not looked at again.
  const end = raw.indexOf('] ');
  if (end === -1 || raw.indexOf('] ', end + 1) === -1) return [raw];
  const line = raw.length > ALARM_LINE_MAX ? raw.slice(0, ALARM_LINE_MAX) : raw;
  const { length, hasTime } = readConsolePrefix(line);
  if (!hasTime) return [raw];
  const [first = '', ...others] = line.slice(length).split(NEXT_MESSAGE);
  return others.length === 0 ? [raw] : [line.slice(0, length) + first, ...others];
}

/** Splits a line of a kernel's console, of dmesg or of a journal. Looks at its first ALARM_LINE_MAX characters. */
export function parseConsoleLine(raw: string): ConsoleLine {
  const cut = raw.length > ALARM_LINE_MAX ? raw.slice(0, ALARM_LINE_MAX) : raw;
  // Colours of `dmesg` and of boot loaders.
  let line = (cut.includes('\u001b') ? plainText(cut) : cut).replace(SHOWN, '');
  if (line.endsWith('\r')) line = line.slice(0, -1);
  const prefix = readConsolePrefix(line);
  // What another program logs is no message of the kernel, whatever it quotes.
  const isKernel = prefix.program === null || prefix.program === 'kernel';
  let context = '';
  if (isKernel) {
    if (prefix.isRecord || prefix.hasTime || prefix.program !== null) context = prefix.caller ?? 'console';
    line = line.slice(prefix.length);
  }
  if (!isKernel || !prefix.hasTime) {
    const behind = PRINTED_BEHIND.exec(line);
    if (behind !== null) {
      context = behind[1] ?? context;
      line = line.slice(behind.index + behind[0].length);
    }
  }
  if (context === '') return { context, text: line, unsure: false };
  return withoutDoubt(context, line);
}

/** x86 marks a doubtful frame in front of it, PowerPC behind it. */
function withoutDoubt(context: string, text: string): ConsoleLine {
  if (text.includes('<EOI>')) return { context, text, unsure: false };
  const mark = text.indexOf(' ? ');
  if (mark !== -1) return { context, text: text.slice(mark + 2), unsure: true };
  return { context, text, unsure: text.endsWith(' (unreliable)') };
}
