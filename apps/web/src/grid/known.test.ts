import { describe, expect, it } from 'vitest';
import { knownCells, newFirst } from './known.js';

const mark = { reason: 'a bug report', by: 'ann', until: '2027-01-31T12:00:00.000Z', base: '7.3.4' };
const rows = ['FF.', 'F:P', 'PPP', '.PF'].map((verdicts, at) => ({
  suite: at < 3 ? 'a' : 'b',
  test: `t${at}`,
  verdicts,
}));
const columns = [{}, {}, {}] as never;

describe('known failures of a grid', () => {
  it('are counted beside the new ones, with who accepted them and until when', () => {
    const known = knownCells({
      rows,
      columns,
      marks: [mark],
      known: [
        { row: 0, column: 0, mark: 0 },
        { row: 0, column: 1, mark: 0 },
        { row: 1, column: 0, mark: 0 },
      ],
    });
    expect(known).toMatchObject({ fresh: 1, known: 3 });
    expect([...(known?.newRows ?? [])]).toEqual([3]);
    expect(known?.textOf(0, 1)).toMatch(
      /^known until .*2027.* \(baseline of 7\.3\.4, accepted by ann\): a bug report$/,
    );
    expect(known?.textOf(3, 2)).toBeUndefined();
  });

  it('stand behind the new ones, in their order', () => {
    const known = knownCells({
      rows,
      columns,
      marks: [mark],
      known: [
        { row: 0, column: 0, mark: 0 },
        { row: 0, column: 1, mark: 0 },
      ],
    });
    if (known === null) throw new Error('there are known cells');
    expect(
      newFirst(
        [
          { suite: 'a', rows: [0, 1, 2] },
          { suite: 'b', rows: [3] },
        ],
        known,
      ),
    ).toEqual([
      { suite: 'a', rows: [1, 0, 2] },
      { suite: 'b', rows: [3] },
    ]);
    const other = { ...known, newRows: new Set([3]) };
    expect(
      newFirst(
        [
          { suite: 'a', rows: [0, 1, 2] },
          { suite: 'b', rows: [3] },
        ],
        other,
      ).map(({ suite }) => suite),
    ).toEqual(['b', 'a']);
  });

  it('cost nothing where there are none', () => {
    expect(knownCells({ rows, columns, marks: [], known: [] })).toBeNull();
  });
});
