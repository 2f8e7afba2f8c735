import fc from 'fast-check';
import { expect, it } from 'vitest';
import { changeBetween, nextIndent } from './text-change.js';

it('finds the one stretch that differs', () => {
  expect(changeBetween('same', 'same')).toBeNull();
  expect(changeBetween('name: a\nx: 1\n', 'name: abc\nx: 1\n')).toEqual({ from: 7, to: 7, insert: 'bc' });
  fc.assert(
    fc.property(fc.stringMatching(/^[ab]{0,12}$/), fc.stringMatching(/^[ab]{0,12}$/), (before, after) => {
      const { from, to, insert } = changeBetween(before, after) ?? { from: 0, to: 0, insert: '' };
      expect(before.slice(0, from) + insert + before.slice(to)).toBe(after);
    }),
  );
});

it.each([
  ['name: x', 0],
  ['builds:', 2],
  ['  - name: x', 4],
  ['  - machines:', 6],
  ['  - kunit', 2],
  ['    series: []', 4],
  ['# why:', 0],
  ['', 0],
])('indents the line after %j by %i', (line, spaces) => {
  expect(nextIndent(line)).toBe(spaces);
});
