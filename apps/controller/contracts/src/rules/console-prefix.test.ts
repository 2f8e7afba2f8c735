import { describe, expect, it } from 'vitest';
import { droppedMessages, readConsolePrefix } from './console-prefix.js';
import { parseConsoleLine } from './crash/console-line.js';
import { prefixLength } from './ktap/prefix.js';

describe('the prefix of a console line', () => {
  it.each([
    ['', null],
    ['<6>', null],
    ['[    1.234567] ', null],
    ['<4>[   12.345678][  T412] ', 'T412'],
    ['[Mon Nov 30 10:12:01 2026] ', null],
    ['** 12 printk messages dropped ** [    1.234567] ', null],
    ['debian login: [   12.345678][    C1] ', 'C1'],
    ['6,1234,5678901,-,caller=T7;', 'T7'],
    ['Nov  3 10:12:01 host kernel: [    1.234567] ', null],
    ['2026-11-03T10:12:01.123456+00:00 host kernel[1]: ', null],
  ])('%j is the same to the readers of crashes and of KTAP', (prefix, caller) => {
    expect(readConsolePrefix(`${prefix}ok 1 a`)).toMatchObject({ length: prefix.length, caller });
    expect(prefixLength(`${prefix}ok 1 a`)).toBe(prefix.length);
    expect(parseConsoleLine(`${prefix}ok 1 a`).text).toBe('ok 1 a');
  });

  it('leaves the indentation of KTAP', () => {
    expect(prefixLength('[    1.234567]     ok 1 a')).toBe('[    1.234567] '.length);
  });

  it('of another program belongs to no message of the kernel', () => {
    const line = 'Nov  3 10:12:01 host sh[7]: [    1.234567] WARNING: CPU: 0';
    expect(parseConsoleLine(line)).toMatchObject({ context: '', text: line });
    expect(line.slice(prefixLength(line))).toBe('WARNING: CPU: 0');
  });
});

describe('messages that a kernel dropped', () => {
  it.each([
    ['** 12 printk messages dropped **', 12],
    ['** 7 printk messages dropped ** [    1.234567] pci 0000:00:01.0: found', 7],
    ['debian login: ** 345 printk messages dropped **', 345],
    ['[    1.234567] ** 12 printk messages dropped **', 0],
    ['app: ** 12 printk messages dropped **', 0],
    ['** 1234567890 printk messages dropped **', 0],
    ['** printk messages dropped **', 0],
    ['', 0],
  ])('%j are %i', (line, dropped) => {
    expect(droppedMessages(line)).toBe(dropped);
  });
});
