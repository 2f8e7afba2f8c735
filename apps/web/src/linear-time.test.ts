import { growthOf } from '@peerlab/contracts/testing';
import { describe, expect, it } from 'vitest';
import { findKernelCell } from './grid/kernel-model.js';
import { reasonKind } from './grid/model.js';
import { ktapClass, toneOf } from './logs/alarm.js';
import { cleanLine, colouredParts, plainLine } from './logs/ansi.js';
import { plainFinder } from './logs/query.js';
import { addMbox, buildNameOf } from './submit/add-mbox.js';
import { placeOf } from './submit/completion/place.js';
import { nextIndent } from './submit/text-change.js';
import { readPattern } from './ui/pattern.js';

/** Linear work takes twice the time. The limit leaves room for other work on the computer. */
const GROWTH_MAX = 3;

const times = (part: string, size: number): string => part.repeat(Math.ceil(size / part.length));
const cell = (text: string): unknown => findKernelCell({ rows: [], columns: [] }, text);
const place = (text: string): unknown => placeOf(text, text.length);
const tone = (text: string): unknown => [toneOf('test', text), toneOf('build', text), toneOf('agent', text)];

/** Functions that read foreign logs, patches and names, each with the worst input that we know. */
const CASES: [name: string, work: (text: string) => unknown, worst: (size: number) => string][] = [
  ['a log line: returns', cleanLine, (size) => `${times('\r', size)}x`],
  ['a log line: an escape that does not end', cleanLine, (size) => `\u001b[${times('!', size)}\u0001`],
  ['a log line: numbers of a colour', cleanLine, (size) => `\u001b[${times('1;', size)}\u0001`],
  ['a log line: titles', cleanLine, (size) => times('\u001b]x', size)],
  ['a log line: escapes', plainLine, (size) => times('\u001b[', size)],
  ['a log line: colours', colouredParts, (size) => times('\u001b[1m', size)],
  ['a log line: a failed test', tone, (size) => `not ok ${times('1', size)} # SKIP`],
  ['a log line: blanks', tone, (size) => times(' ', size)],
  ['a log line: errors that are none', tone, (size) => times('fatal error ', size)],
  ['a log line: blanks of KTAP', ktapClass, times.bind(null, ' ')],
  [
    'a log line: a plain search',
    plainFinder({ text: 'aab', isRegex: false, isCaseSensitive: false }),
    times.bind(null, 'aa'),
  ],
  ['a reason', reasonKind, (size) => times('0x', size)],
  ['the name of a cell', cell, (size) => `a/${times('@', size)}\u2028@`],
  ['the name of a file', buildNameOf, (size) => times('-.mbox', size)],
  ['an mbox that is none', (text) => addMbox('', 'x', text), (size) => times('From', size)],
  ['a line to complete: a word', place, (size) => `${times('a', size)}!`],
  ['a line to complete: blanks after a key', place, (size) => `a${times(' ', size)}x`],
  ['a line to complete: remarks', place, (size) => `- ${times(' #', size)}\u2028`],
  ['a line to complete: quotes', place, (size) => `'${times("''", size)}`],
  ['a line to complete: brackets', place, (size) => `a: ${times('[', size)}`],
  ['lines of a block text', place, (size) => `mbox: |\n${times('  + a:  \n', size)}`],
  ['a line to indent by: dashes', nextIndent, (size) => `${times('- ', size)}\u2028`],
  ['a line to indent by: blanks', nextIndent, (size) => `a: x${times(': ', size)}\u2028`],
  ['what a filter looks at', (text) => readPattern('a+b+c+d').matches(text), (size) => times('abc', size)],
];

describe('twice the input takes about twice the time', () => {
  it.each(CASES)('%s', async (_name, work, worst) => {
    const growth = await growthOf(worst, work);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(GROWTH_MAX);
  });
});
