import { readConsolePrefix } from '../console-prefix.js';

/** The program that prints to a console, as systemd names it. */
const PROGRAM = /[a-zA-Z][\w.@-]{0,63}\[\d{1,10}\]: /y;

/** Characters of what stands before a line of KTAP: the prefix of its console or log, and the program of a console line. */
export function prefixLength(line: string): number {
  const { length } = readConsolePrefix(line);
  if (length === 0) return 0;
  PROGRAM.lastIndex = length;
  return PROGRAM.test(line) ? PROGRAM.lastIndex : length;
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
