import { describe, expect, it } from 'vitest';
import { matchesKey, strokeName } from './keys.js';
import {
  AttemptSearch,
  CompareSearch,
  GridSearch,
  HistorySearch,
  parseSearch,
  RunsSearch,
  stringifySearch,
  TrendsSearch,
} from './search.js';
import { readPattern } from './ui/pattern.js';
import { ageText, durationText } from './ui/time.js';
import { bytesText, numberText } from './ui/numbers.js';

describe('addresses', () => {
  it('keep values as they are and leave no trace of empty ones', () => {
    const search = { q: '123 & "é"', folded: undefined, cell: '', line: 7 };
    expect(stringifySearch(search)).toBe('?q=123+%26+%22%C3%A9%22&line=7');
    expect(parseSearch(stringifySearch(search))).toEqual({ q: '123 & "é"', line: '7' });
    expect(stringifySearch({})).toBe('');
  });
  it('fall back to defaults where a link is broken', () => {
    expect(AttemptSearch.parse({ view: 'x', stream: 'serial', line: '-4', to: '12' })).toMatchObject({
      view: undefined,
      stream: 'serial',
      line: undefined,
      to: 12,
    });
    expect(
      RunsSearch.parse({ verdict: 'wrong', state: 'x', machine: '../m', from: '2026-02-30', until: '2026-03-01' }),
    ).toEqual({ verdict: 'wrong', until: '2026-03-01' });
    expect(GridSearch.parse({ run: 'not-a-uuid', q: 'a' })).toMatchObject({ run: undefined, q: 'a' });
    const before = `2026-11-22T10:00:00.123456Z~${'0'.repeat(64)}`;
    expect(GridSearch.parse({ before })).toMatchObject({ before });
    expect(GridSearch.parse({ before: 'yesterday~0', by: 'builds' })).toMatchObject({
      before: undefined,
      by: 'builds',
    });
    expect(HistorySearch.parse({ suite: '../x', test: 't', combination: 'zz' })).toMatchObject({
      suite: undefined,
      test: 't',
      combination: undefined,
    });
    expect(CompareSearch.parse({ a: 'nonsense', rows: 'some', q: 'x' })).toMatchObject({
      a: undefined,
      rows: undefined,
      q: 'x',
    });
    expect(TrendsSearch.parse({ suite: 's', axis: 'log', view: 'table' })).toMatchObject({
      suite: 's',
      axis: undefined,
      view: 'table',
    });
  });
});

describe('readPattern', () => {
  it('matches without regard to case, excludes with !, and says what is wrong', () => {
    expect(readPattern('ALIAS').matches('s/alias_read')).toBe(true);
    expect(readPattern('!alias').matches('s/alias_read')).toBe(false);
    const broken = readPattern('(');
    expect(broken.problem).toContain('(');
    expect(broken.matches('anything')).toBe(true);
  });
});

describe('keys', () => {
  it('match strokes and sequences', () => {
    const stroke = { key: 'r', ctrlKey: false, metaKey: false, altKey: false };
    expect(matchesKey('goRuns', strokeName(stroke), 'g')).toBe(true);
    expect(matchesKey('goRuns', strokeName(stroke), null)).toBe(false);
    expect(strokeName({ ...stroke, key: 'Enter', metaKey: true })).toBe('Ctrl+Enter');
  });
});

describe('numbers and times', () => {
  it.each([
    [0, '0 ms'],
    [9_940, '9.9 s'],
    [59_600, '1 min 00 s'],
    [3_599_000, '59 min 59 s'],
    [7_800_000, '2 h 10 min'],
    [-5, '0 ms'],
  ])('%i ms is %s', (ms, text) => expect(durationText(ms)).toBe(text));
  it('tells ages, never a negative one', () => {
    expect(ageText(10_000, 0)).toBe('just now');
    expect(ageText(0, 90_000)).toBe('1 min ago');
    expect(ageText(0, 86_400_000)).toBe('yesterday');
  });
  it('keeps three digits', () => {
    expect(numberText(14_812.4)).toBe('14\u202f812');
    expect(numberText(0.012345)).toBe('0.0123');
    expect(bytesText(268_435_456)).toBe('256 MiB');
  });
});
