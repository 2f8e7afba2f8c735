import { HttpClient } from '@peerlab/client';
import { growthOf } from '@peerlab/contracts/testing';
import { describe, expect, it } from 'vitest';
import { terminalText } from './render/terminal.js';
import { table } from './render/text.js';

const times = (part: string, size: number): string => part.repeat(Math.ceil(size / part.length));

/** Functions that read text of machines or of the command line, each with the worst input that we know. */
const CASES: [name: string, work: (text: string) => unknown, worst: (size: number) => string][] = [
  [
    'an address',
    (text) => new HttpClient({ url: text, token: () => null }).url,
    (size) => `http://x${times('/', Math.min(size, 65_536))}x/`,
  ],
  ['a text for a terminal: escapes', terminalText, (size) => times('\u001b[', size)],
  ['a text for a terminal: numbers of a colour', terminalText, (size) => `\u001b[${times('1;', size)}x`],
  ['a cell of a table', (text) => table([[text, 'x']]), (size) => times('\u001b[1', size)],
];

describe('twice the input takes about twice the time', () => {
  it.each(CASES)('%s', async (_name, work, worst) => {
    const growth = await growthOf(worst, work);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});
