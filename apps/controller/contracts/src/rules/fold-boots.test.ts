import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PENDING_LETTER, type Grid, type GridColumn } from '../schema/grid.js';
import { VERDICT_BY_LETTER, VERDICT_TABLE, VERDICTS } from '../schema/verdict.js';
import { bootsStanding, foldBoots, foldCell } from './fold-boots.js';
import { isConclusive } from './verdict.js';

const column = (build: string, boot: number | null, more: Partial<GridColumn> = {}): GridColumn => ({
  combination: { hash: 'c' } as GridColumn['combination'],
  build: { id: build, name: build, release: null, buildId: build, features: null, config: null, aliases: [] },
  machine: 'm',
  pair: { provider: '0000:03:00.0', client: '0000:04:00.0' },
  runId: 'run',
  runName: 'run',
  jobId: `${build} ${boot}`,
  attemptId: `${build} ${boot}`,
  state: 'ended',
  verdict: 'pass',
  at: null,
  logLines: {},
  boot: boot === null ? null : { number: boot, of: 3 },
  busy: null,
  ...more,
});
const value = (median: number): Grid['metrics'][number]['values'][number] => ({
  median,
  lowerQuartile: median - 1,
  upperQuartile: median + 1,
  n: 11,
});
const grid = (columns: GridColumn[], rows: string[], more: Partial<Grid> = {}): Grid => ({
  columns,
  rows: rows.map((verdicts, index) => ({ suite: 's', test: `t${index}`, verdicts })),
  notes: [],
  cells: [],
  proofs: [],
  marks: [],
  known: [],
  metrics: [],
  generatedAt: '2026-01-01T00:00:00.000Z',
  ...more,
});
const BOOTS = [column('base', 1), column('base', 2), column('base', 3), column('new', null)];

describe('the boots of one kernel on one machine', () => {
  it('are one column, whose cells say how often a test went wrong', () => {
    const notes = [
      { row: 1, column: 1, reason: 'byte 8 differs' },
      { row: 2, column: 0, reason: 'late' },
      { row: 2, column: 1, reason: 'late' },
      { row: 2, column: 2, reason: 'late' },
      { row: 4, column: 3, reason: 'own' },
    ];
    const { grid: folded, bootsOf } = foldBoots(grid(BOOTS, ['PPPP', 'PFPP', 'FFFP', 'PXPP', 'SSSF'], { notes }));
    expect(bootsOf).toEqual([[0, 1, 2], [3]]);
    expect(folded.rows.map(({ verdicts }) => verdicts)).toEqual(['PP', '~P', 'FP', 'XP', 'SF']);
    expect(folded.notes).toEqual([
      { row: 1, column: 0, reason: 'passed 2 of 3: byte 8 differs' },
      { row: 2, column: 0, reason: 'fail in 3 of 3 boots: late' },
      { row: 4, column: 1, reason: 'own' },
    ]);
  });

  it('are a known failure where all that failed are known', () => {
    const known = [
      { row: 0, column: 1, mark: 0 },
      { row: 1, column: 0, mark: 0 },
      { row: 1, column: 2, mark: 0 },
    ];
    const { grid: folded } = foldBoots(grid(BOOTS, ['PFPP', 'FFFP'], { known }));
    expect(folded.known).toEqual([{ row: 0, column: 0, mark: 0 }]);
  });

  it('have no verdict before the last one ended, unless one went wrong', () => {
    const { rows } = foldBoots(grid(BOOTS, ['PP:P', 'PF:P', '...P', ':::P', 'P..P'])).grid;
    expect(rows.map(({ verdicts }) => verdicts[0])).toEqual([PENDING_LETTER, '~', '.', PENDING_LETTER, 'P']);
  });

  it('link to the boot with the worst verdict, and their figures are medians of the boots', () => {
    const columns = [column('base', 1), column('base', 2, { verdict: 'fail' }), column('base', 3)];
    const metric = { suite: 's', test: 't0', name: 'm', unit: 'ns', better: 'lower', noise: {} } as const;
    const { grid: folded } = foldBoots(
      grid(columns, ['PFP'], { metrics: [{ ...metric, values: [value(10), value(30), value(20)] }] }),
    );
    expect(folded.columns).toMatchObject([{ attemptId: 'base 2', verdict: 'fail', state: 'ended' }]);
    expect(folded.metrics[0]?.values).toEqual([{ median: 20, lowerQuartile: 10, upperQuartile: 30, n: 33, boots: 3 }]);
    const open = columns.map((each, index) => ({ ...each, state: index === 2 ? ('running' as const) : each.state }));
    expect(foldBoots(grid(open, ['PFP'])).grid.columns).toMatchObject([{ verdict: null, state: 'running' }]);
    expect(bootsStanding(open)).toBe('2 of 3 boots ended, 1 went wrong');
    expect(bootsStanding(columns)).toBe('3 boots, 1 went wrong');
  });

  it('of other machines, devices, kernels and runs stay apart, and without repeat nothing is folded', () => {
    const apart = grid(
      [
        column('base', 1),
        column('base', 2, { machine: 'n' }),
        column('base', 2, { pair: { provider: 'b', client: 'c' } }),
        column('new', 1),
        column('new', 1, { runId: 'other' }),
      ],
      ['PPPPP'],
    );
    expect(foldBoots(apart).bootsOf).toEqual([[0], [1], [2], [3], [4]]);
    expect(foldBoots(apart).grid).toBe(apart);
  });

  it('never look better than their worst conclusive boot that stands alone, and never worse than the worst of all', () => {
    const letters = fc.array(fc.constantFrom(...VERDICTS.map((verdict) => VERDICT_TABLE[verdict].letter)), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(letters, (boots) => {
        const judged = foldCell(boots.map((letter) => ({ letter, reason: null })));
        const all = boots.flatMap((letter) => VERDICT_BY_LETTER.get(letter) ?? []);
        if (judged === null) throw new Error('letters of verdicts come to one');
        expect(VERDICT_TABLE[judged.verdict].rank).toBeGreaterThanOrEqual(
          Math.min(...all.map((verdict) => VERDICT_TABLE[verdict].rank)),
        );
        expect(judged.verdict === 'pass').toBe(
          all.every((verdict) => verdict === 'pass' || verdict === 'skip') && all.includes('pass'),
        );
        if (all.some((verdict) => isConclusive(verdict) && verdict !== 'pass')) {
          expect(VERDICT_TABLE[judged.verdict].wrong).toBe(true);
        }
        expect(boots[judged.evidence]).toBeDefined();
      }),
    );
  });
});
