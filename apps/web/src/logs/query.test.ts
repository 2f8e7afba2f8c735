import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainFinder, regexFinder, type LogQuery } from './query.js';

const query = (text: string, change: Partial<LogQuery> = {}): LogQuery => ({
  text,
  isRegex: false,
  isCaseSensitive: false,
  ...change,
});

describe('a plain search', () => {
  it('finds every place, in any case unless asked otherwise', () => {
    const line = 'Error: error ERROR';
    expect(plainFinder(query('error'))(line)).toEqual([
      [0, 5],
      [7, 12],
      [13, 18],
    ]);
    expect(plainFinder(query('error', { isCaseSensitive: true }))(line)).toEqual([[7, 12]]);
    expect(plainFinder(query('a.c'))('abc a.c')).toEqual([[4, 7]]);
  });
  it('marks what it found, also beside letters whose other case is longer', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('İ', 'ß', 'ǰ', ''), fc.string({ minLength: 1 }), (before, odd, text) => {
        const line = before + odd + text;
        const places = plainFinder(query(text, { isCaseSensitive: true }))(line);
        expect(places.some(([from, to]) => line.slice(from, to) === text)).toBe(true);
        for (const [from, to] of plainFinder(query('x'))(line)) expect(line.slice(from, to)).toMatch(/^x$/i);
      }),
    );
  });
});

describe('a regular expression', () => {
  const ranges = (text: string, line: string) => {
    const finder = regexFinder(query(text, { isRegex: true }));
    return typeof finder === 'function' ? finder(line) : finder.problem;
  };
  it('finds every place and ends at those that match nothing', () => {
    expect(ranges('file_\\d+', 'FILE_1 file_22')).toEqual([
      [0, 6],
      [7, 14],
    ]);
    expect(ranges('x*', 'axx')).toEqual([
      [0, 0],
      [1, 3],
      [3, 3],
    ]);
    expect(ranges('$', 'y'.repeat(1000))).toEqual([[1000, 1000]]);
  });
  it('says what is wrong with it', () => {
    expect(ranges('(', '')).toContain('Unterminated group');
  });
});
