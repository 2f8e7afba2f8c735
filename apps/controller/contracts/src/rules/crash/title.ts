import { cleanText } from '../../schema/text.js';
import { rustName } from './rust-name.js';

/** Longest title, in characters; lines that were mixed up on a console can be very long. */
export const CRASH_TITLE_MAX = 120;

/** What differs from one report to the next, and what stands for it. Every repetition has a maximum. */
const CHANGING: readonly [RegExp, string][] = [
  [/\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}\b/g, 'IPV6ADDR'],
  // A path of Rust has `::` too, and words that are hexadecimal: `fd::file`.
  [/(?<![\w:])(?=[a-f:]{0,8}\d)(?=[0-9a-f:]{0,39}::)[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/g, 'IPV6ADDR'],
  [/([^a-zA-Z0])(?:0x)?[0-9a-f]{6,64}/g, '$1ADDR'],
  [/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/g, 'IP'],
  [/(\.\w{1,16})(?::\d{1,12})+/g, '$1:LINE'],
  [/([a-zA-Z][a-zA-Z0-9_.]{1,128})\+0x[0-9a-z]{1,16}\/0x[0-9a-z]{1,16}/g, '$1'],
  [/CPU#\d{1,6}/g, 'CPU'],
];
const RUST_NAME = /\b_R[A-Z]\w{2,509}/g;
const NUMBER = /(\W)\d{1,64}(?=\W|$)/g;

/**
 * A title that is the same for the same fault: addresses, numbers, lines and CPUs are replaced by words, as
 * syzkaller's dashboards do, Rust functions are named as in their source, blanks are folded and what does not print is left out.
 */
export function cleanTitle(raw: string): string {
  let title = raw.slice(0, 1024).replaceAll(RUST_NAME, rustName);
  for (const [changing, word] of CHANGING) title = title.replace(changing, word);
  title = title.replace(NUMBER, '$1NUM');
  let printed = '';
  for (const character of title.replaceAll('\t', ' ').slice(0, CRASH_TITLE_MAX)) {
    if (character < ' ' || character > '~' || (character === ' ' && (printed === '' || printed.endsWith(' '))))
      continue;
    printed += character;
  }
  return cleanText(printed.trimEnd(), CRASH_TITLE_MAX);
}
