import { PENDING_LETTER, VERDICT_BY_LETTER } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { groupRows } from './model.js';
import { chosenMarks, countMarks, isFiltered, rowFilter, toggledMark } from './row-choice.js';

const grid = {
  rows: [
    { suite: 's', test: 'same', verdicts: 'PPP' },
    { suite: 's', test: 'differs', verdicts: 'PFP' },
    { suite: 's', test: 'half', verdicts: 'P.:' },
    { suite: 's', test: 'skipped', verdicts: 'SSP' },
    { suite: 's', test: 'nowhere', verdicts: '...' },
  ],
};
const shown = (search: { verdict?: string; differing?: 'only' }, text = ''): string[] =>
  groupRows(
    grid,
    rowFilter(grid, search, (name) => name.includes(text)),
  ).flatMap(({ rows }) => rows.map((row) => grid.rows[row]?.test ?? ''));

it('no verdict has the letter of a planned test', () => {
  expect(VERDICT_BY_LETTER.has(PENDING_LETTER)).toBe(false);
});

describe('the rows of a grid', () => {
  it('are those that differ: cells that did not run say nothing', () => {
    expect(shown({ differing: 'only' })).toEqual(['differs', 'skipped']);
  });
  it('are those with the verdicts of the pressed chips', () => {
    expect(shown({ verdict: 'fail' })).toEqual(['differs']);
    expect(shown({ verdict: 'fail,skip,nonsense' })).toEqual(['differs', 'skipped']);
    expect(shown({ verdict: 'pending' })).toEqual(['half']);
    expect(shown({ verdict: 'nonsense' })).toHaveLength(5);
  });
  it('are narrowed by all filters together', () => {
    expect(shown({ verdict: 'pass', differing: 'only' }, 'skip')).toEqual(['skipped']);
    expect(shown({ verdict: 'crash' })).toEqual([]);
  });
});

describe('a chip', () => {
  it('is pressed and released in the address', () => {
    expect(toggledMark(undefined, 'fail')).toBe('fail');
    expect(toggledMark('pending', 'fail')).toBe('fail,pending');
    expect(toggledMark('fail,pending', 'fail')).toBe('pending');
    expect(toggledMark('fail', 'fail')).toBeUndefined();
    expect([...chosenMarks(',x,fail')]).toEqual(['fail']);
  });
  it('has a count, and is there only for what the grid has', () => {
    expect(Object.fromEntries(countMarks(grid))).toEqual({ fail: 1, skip: 2, pass: 7, pending: 1 });
  });
  it('counts as a filter, as the text does', () => {
    expect(
      [{}, { q: '' }, { q: 'x' }, { verdict: 'nonsense' }, { differing: 'only' as const }].map(isFiltered),
    ).toEqual([false, false, true, false, true]);
  });
});
