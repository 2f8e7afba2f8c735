import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growthOf } from '../testing/growth.js';
import { plainText, terminalTokens } from './control-sequences.js';

const ESC = '\u001b';

const PIECES = [ESC, '[', ']', '0', ';', ':', '?', 'm', 'J', '\u0007', '\\', '\u009b', '\r', '\n', '\t', ' '];
const SEQUENCES = [`${ESC}[1;31m`, `${ESC}[2J`, `${ESC}]0;title\u0007`, `${ESC}(B`, `${ESC}c`];

/** Text made of whole sequences, of pieces of sequences and of anything else. */
const foreignText = fc
  .array(fc.oneof(fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom(...PIECES, ...SEQUENCES)), {
    maxLength: 40,
  })
  .map((pieces) => pieces.join(''));

const kinds = (text: string): [string, string][] => [...terminalTokens(text)].map((token) => [token.kind, token.text]);

describe('tokens of a text for a terminal', () => {
  it.each([
    ['plain text with tab and line feed', 'a\tb\nc', [['text', 'a\tb\nc']]],
    [
      'colours',
      `${ESC}[1;31mred${ESC}[m`,
      [
        ['colour', `${ESC}[1;31m`],
        ['text', 'red'],
        ['colour', `${ESC}[m`],
      ],
    ],
    [
      'a colour with colons',
      `${ESC}[38:5:200mx`,
      [
        ['colour', `${ESC}[38:5:200m`],
        ['text', 'x'],
      ],
    ],
    [
      'a private mode that ends with m',
      `${ESC}[>4;2mx`,
      [
        ['sequence', `${ESC}[>4;2m`],
        ['text', 'x'],
      ],
    ],
    [
      'cursor movement',
      `${ESC}[01;01H${ESC}[?25lx`,
      [
        ['sequence', `${ESC}[01;01H`],
        ['sequence', `${ESC}[?25l`],
        ['text', 'x'],
      ],
    ],
    [
      'a title, ended by BEL',
      `${ESC}]0;t\u0007x`,
      [
        ['sequence', `${ESC}]0;t\u0007`],
        ['text', 'x'],
      ],
    ],
    [
      'the clipboard, ended by ESC \\',
      `${ESC}]52;c;YQ==${ESC}\\x`,
      [
        ['sequence', `${ESC}]52;c;YQ==${ESC}\\`],
        ['text', 'x'],
      ],
    ],
    ['a device string', `${ESC}P$q${ESC}\\`, [['sequence', `${ESC}P$q${ESC}\\`]]],
    [
      'a character set and a reset',
      `${ESC}(B${ESC}c`,
      [
        ['sequence', `${ESC}(B`],
        ['sequence', `${ESC}c`],
      ],
    ],
    [
      'a carriage return',
      'a\rb',
      [
        ['text', 'a'],
        ['control', '\r'],
        ['text', 'b'],
      ],
    ],
    [
      'CSI as one character',
      '\u009b2J',
      [
        ['control', '\u009b'],
        ['text', '2J'],
      ],
    ],
  ])('are right for %s', (_what, text, tokens) => {
    expect(kinds(text)).toEqual(tokens);
  });

  it.each([ESC, `${ESC}[`, `${ESC}[31`, `${ESC}]0;title`, `${ESC}(`, `${ESC}P`, `${ESC}[31\u0100`])(
    'do not let the unfinished sequence %j hide text',
    (unfinished) => {
      expect(plainText(`a${unfinished}`)).toBe(`a${unfinished.slice(1)}`);
      expect(plainText(`a${unfinished}\nnext line`)).toContain('\nnext line');
    },
  );

  it('are the whole text, none of them empty, text free of control characters', () => {
    fc.assert(
      fc.property(foreignText, (text) => {
        const tokens = [...terminalTokens(text)];
        expect(tokens.map((token) => token.text).join('')).toBe(text);
        for (const { kind, text: part } of tokens) {
          expect(part).not.toBe('');
          if (kind === 'text') expect(part).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
          if (kind === 'colour') expect(part).toMatch(/^\u001b\[[0-9;:]*m$/);
          if (kind === 'control') expect(part).toHaveLength(1);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('plain text', () => {
  it('is itself when nothing is left to remove', () => {
    fc.assert(
      fc.property(foreignText, (text) => {
        const plain = plainText(text);
        expect(plain).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
        expect(plainText(plain)).toBe(plain);
      }),
    );
  });

  it.each<[what: string, text: (size: number) => string]>([
    ['unfinished sequences', (size) => `${ESC}[`.repeat(size / 2)],
    ['one unfinished sequence', (size) => `${ESC}[${'1;'.repeat(size / 2)}`],
    ['unfinished titles', (size) => `${ESC}]x`.repeat(size / 3)],
    ['one unfinished title', (size) => `${ESC}]${'x'.repeat(size)}`],
    ['colours', (size) => `${ESC}[1m`.repeat(size / 4)],
    ['control characters', (size) => '\u0000'.repeat(size)],
  ])('takes linear time for %s', async (_what, text) => {
    const growth = await growthOf(text, plainText);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});
