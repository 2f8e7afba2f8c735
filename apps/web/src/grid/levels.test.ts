import { describe, expect, it } from 'vitest';
import { gridLines } from './levels.js';

const TESTS = ['boot', 'sas/stack', 'sas/signal, twice', 'mm/thp/map', 'mm/thp/split', 'mm/ksm', 'alone/one', 'last'];
const rows = TESTS.map((test) => ({ suite: 's', test, verdicts: 'P' }));
const all = [{ suite: 's', rows: rows.map((_, row) => row) }];
const shown = (folded: string[] = []) => {
  const { lines, levels, tests } = gridLines({ rows }, all, new Set(folded));
  return lines.map((what) => {
    const { name = '?', depth = -1 } = (typeof what === 'string' ? levels.get(what) : tests.get(what)) ?? {};
    return `${'  '.repeat(depth)}${typeof what === 'string' ? '▾ ' : ''}${name}`;
  });
};

describe('the lines of a grid', () => {
  it('are a tree by the parts of the names, with a level only where two tests share it', () => {
    expect(shown()).toEqual([
      '▾ s',
      'boot',
      '  ▾ sas',
      '  stack',
      '  signal, twice',
      '  ▾ mm',
      '    ▾ thp',
      '    map',
      '    split',
      '  ksm',
      'alone/one',
      'last',
    ]);
  });

  it('fold by level', () => {
    const { levels } = gridLines({ rows }, all, new Set());
    expect([...levels.keys()]).toEqual(['s', 's/sas/', 's/mm/', 's/mm/thp/']);
    expect(levels.get('s/mm/')?.rows).toEqual([3, 4, 5]);
    expect(shown(['s/mm/', 's/sas/'])).toEqual(['▾ s', 'boot', '  ▾ sas', '  ▾ mm', 'alone/one', 'last']);
    expect(shown(['s'])).toEqual(['▾ s']);
  });

  it('have one level for all the parts that its tests share, and keys without commas', () => {
    const deep = ['a/b, c/d/1', 'a/b, c/d/2'].map((test) => ({ suite: 's', test, verdicts: 'P' }));
    const { lines, levels } = gridLines({ rows: deep }, [{ suite: 's', rows: [0, 1] }], new Set());
    expect(lines).toEqual(['s', 's/a/b%2C c/d/', 0, 1]);
    expect(levels.get('s/a/b%2C c/d/')?.name).toBe('a/b, c/d');
  });

  it('have each level once, in whatever order its tests are', () => {
    const mixed = ['a/1', 'a/2', 'b', 'a/3', 'a/4'].map((test) => ({ suite: 's', test, verdicts: 'P' }));
    const { lines, tests } = gridLines({ rows: mixed }, [{ suite: 's', rows: [0, 1, 2, 3, 4] }], new Set());
    expect(lines).toEqual(['s', 's/a/', 0, 1, 2, 3, 4]);
    expect([tests.get(1)?.name, tests.get(3)?.name]).toEqual(['2', 'a/3']);
  });

  it('of two results of one name are two', () => {
    const twice = ['a/x', 'a/x'].map((test) => ({ suite: 's', test, verdicts: 'P' }));
    expect(gridLines({ rows: twice }, [{ suite: 's', rows: [0, 1] }], new Set()).lines).toEqual(['s', 's/a/', 0, 1]);
  });
});
