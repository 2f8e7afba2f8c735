import fc from 'fast-check';
import { expect, it } from 'vitest';
import { terminalText } from './terminal.js';

it('keeps colours, tabs and line feeds', () => {
  const text = 'a\tb\n\u001b[1;31mred\u001b[0m \u001b[38:5:200mpink\u001b[m';
  expect(terminalText(text)).toBe(text);
});

it.each([
  ['the title of the window', '\u001b]0;owned\u0007', '␛]0;owned␇'],
  ['the clipboard', '\u001b]52;c;Y3VybA==\u001b\\', '␛]52;c;Y3VybA==␛\\'],
  ['the whole screen', '\u001b[2J\u001b[H', '␛[2J␛[H'],
  ['the line before', 'ok\r\u001b[1Anot ok', 'ok␍␛[1Anot ok'],
  ['what is typed', '\u001b[6n\u001b[c', '␛[6n␛[c'],
  ['the same in one character', '\u009b2J', '\ufffd2J'],
])('does not let a log reach %s', (_what, text, shown) => {
  expect(terminalText(text)).toBe(shown);
});

it('leaves nothing that a terminal acts upon, except colours', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('\u001b', '[', ']', '0', ';', 'm', '\u0007', '\u009b', '\r'));
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const rest = terminalText(pieces.join('')).replace(/\u001b\[[0-9;:]*m/g, '');
      expect(rest).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }),
  );
});
