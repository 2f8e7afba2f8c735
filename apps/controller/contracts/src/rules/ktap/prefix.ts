/**
 * What consoles and logs put before a line of KTAP: the date and program of syslog or the journal, the level `<6>` of
 * printk and of systemd, the time `[    1.234567]` with its caller `[    T1]`, and the program of a console line.
 * Each part has one way to match and a maximum, so that a line costs its length once.
 */
const SYSLOG =
  /(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,32}) \S{1,64} [\w.@/-]{1,64}(?:\[\d{1,10}\])?: /y;
const LEVEL = /<\d{1,3}>/y;
const TIME = /\[ {0,12}\d{1,12}\.\d{1,9}\](?:\[ {0,12}[TC]\d{1,10}\])? ?/y;
const PROGRAM = /[a-zA-Z][\w.@-]{0,63}\[\d{1,10}\]: /y;

/** Characters of the prefix of a line; 0 when it has none. One blank after the time belongs to it, indentation does not. */
export function prefixLength(line: string): number {
  let at = after(SYSLOG, line, 0);
  at = after(LEVEL, line, at);
  at = after(TIME, line, at);
  return at === 0 ? 0 : after(PROGRAM, line, at);
}

function after(part: RegExp, line: string, at: number): number {
  part.lastIndex = at;
  return part.test(line) ? part.lastIndex : at;
}

/**
 * Whether a line begins with a prefix of the same form as `prefix`: every character is the same, or both are digits
 * or blanks, as in times.
 */
export function hasFormOf(prefix: string, line: string): boolean {
  if (line.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at += 1) {
    if (prefix[at] !== line[at] && !(isCounter(prefix[at]) && isCounter(line[at]))) return false;
  }
  return true;
}

const isCounter = (character = ''): boolean => character === ' ' || (character >= '0' && character <= '9');
