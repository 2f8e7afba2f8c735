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

/** syslog's and journald's prefixes, short and ISO 8601, with the name of the host. */
const SYSLOG =
  /^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,\d]{0,8}[+\-:\dZ]{0,6}) [^ ]{1,64} kernel(?:\[\d{1,10}\])?: /;
/** A record of /dev/kmsg: level, number, microseconds and flags, maybe with the caller. */
const KMSG = /^\d{1,9},\d{1,15},\d{1,15},[-c+][^;]{0,64};/;
const KMSG_CALLER = /,caller=([CT]\d{1,10})/;
/**
 * What a serial console prints: a lost-messages note or a login prompt may stand in the same line, then the level
 * (`<6>`), the time in seconds, or the clock's of `dmesg -T`, and the caller.
 */
const PRINTK =
  /^(?:\*\* \d{1,9} printk messages dropped \*\* )?(?:[^[]{0,200} login: )?(?:<\d{1,3}>)?\[(?: {0,12}\d{1,10}\.\d{1,9}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\](?:\[ {0,9}([CT]\d{1,10})\])? /;
/** A program wrote to the same console without ending its line. Only a caller makes it sure that this is printk's. */
const PRINTED_BEHIND = /\[ {0,12}\d{1,10}\.\d{1,9}\]\[ {0,9}([CT]\d{1,10})\] /;
const LEVEL = /^<\d{1,3}>/;

/** Splits a line of a kernel's console, of dmesg or of a journal. Looks at its first ALARM_LINE_MAX characters. */
export function parseConsoleLine(raw: string): ConsoleLine {
  let line = raw.length > ALARM_LINE_MAX ? raw.slice(0, ALARM_LINE_MAX) : raw;
  if (line.endsWith('\r')) line = line.slice(0, -1);
  let context = '';
  const recorded = KMSG.exec(line) ?? SYSLOG.exec(line);
  if (recorded !== null) {
    context = KMSG_CALLER.exec(recorded[0])?.[1] ?? 'console';
    line = line.slice(recorded[0].length);
  }
  const printed = PRINTK.exec(line) ?? PRINTED_BEHIND.exec(line);
  if (printed !== null) {
    context = printed[1] ?? (context === '' ? 'console' : context);
    line = line.slice(printed.index + printed[0].length);
  }
  if (context === '') {
    const level = LEVEL.exec(line);
    return { context, text: level === null ? line : line.slice(level[0].length), unsure: false };
  }
  return withoutDoubt(context, line);
}

/** x86 marks a doubtful frame in front of it, PowerPC behind it. */
function withoutDoubt(context: string, text: string): ConsoleLine {
  if (text.includes('<EOI>')) return { context, text, unsure: false };
  const mark = text.indexOf(' ? ');
  if (mark !== -1) return { context, text: text.slice(mark + 2), unsure: true };
  return { context, text, unsure: text.endsWith(' (unreliable)') };
}
