import { describe, expect, it } from 'vitest';
import { cleanLine, colouredParts, plainLine } from './ansi.js';

const ESC = '\u001b';

describe('cleanLine', () => {
  it('drops cursor movement, titles and mode switches of firmware and GRUB', () => {
    expect(cleanLine(`${ESC}[2J${ESC}[01;01H${ESC}[=3h${ESC}]0;title\u0007GNU GRUB${ESC}[?25l`)).toBe('GNU GRUB');
  });
  it('keeps colours', () => {
    expect(cleanLine(`${ESC}[31mred${ESC}[0m`)).toBe(`${ESC}[31mred${ESC}[0m`);
  });
  it('shows what was last on screen after carriage returns', () => {
    expect(cleanLine('10 %\r20 %\r\r')).toBe('20 %');
  });
  it('shows the text although only a colour or a bell came after the carriage return', () => {
    expect(cleanLine(`done\r${ESC}[0m`)).toBe('done');
    expect(cleanLine('done\r\u0007')).toBe('done');
  });
  it('makes text that reverses its direction visible', () => {
    expect(cleanLine('ok \u202edetrever')).toBe('ok \ufffddetrever');
  });
  it('drops NUL, bell and backspace and keeps tabs', () => {
    expect(cleanLine('a\u0000b\u0007c\bd\te')).toBe('abcd\te');
  });
});

describe('plainLine', () => {
  it('leaves no escape behind, even from broken sequences', () => {
    expect(plainLine(`${ESC}[1;31merror:${ESC}[0m x${ESC}[38;5;`)).not.toContain(ESC);
    expect(plainLine(`${ESC}[1;31merror:${ESC}[0m x`)).toBe('error: x');
  });
});

describe('colouredParts', () => {
  it('splits at colours and resets', () => {
    expect(colouredParts(`a${ESC}[1;31mb${ESC}[0mc`)).toEqual([
      { text: 'a', className: '' },
      { text: 'b', className: 'ansi-red ansi-bold' },
      { text: 'c', className: '' },
    ]);
  });
  it('maps indexed and true colours to the eight of the theme', () => {
    expect(colouredParts(`${ESC}[38;5;196mx`)[0]?.className).toBe('ansi-red');
    expect(colouredParts(`${ESC}[38;2;20;200;30mx`)[0]?.className).toBe('ansi-green');
    expect(colouredParts(`${ESC}[44mx`)[0]?.className).toBe('ansi-reverse ansi-blue');
  });
  it('gives class names of its own only, whatever the codes', () => {
    for (const codes of ['999', '38;5;999', '38;9', ';;;', '1;2;3;4;7']) {
      for (const { className } of colouredParts(`${ESC}[${codes}m<b onmouseover=x>`)) {
        expect(className).toMatch(/^(ansi-[a-z]+( |$))*$/);
      }
    }
  });
  it('keeps every character of the text', () => {
    const line = `${ESC}[32m<script>alert(1)</script>${ESC}[m &amp; "`;
    expect(
      colouredParts(line)
        .map(({ text }) => text)
        .join(''),
    ).toBe('<script>alert(1)</script> &amp; "');
  });
});
