import { describe, expect, it } from 'vitest';
import type { AttemptDetail } from '../schema/attempts.js';
import type { RunDetail } from '../schema/run-detail.js';
import type { Verdict } from '../schema/verdict.js';
import { renderTwoSided } from './report/two-sided.js';
import { twoSidedMatrix, twoSidedSizes } from './two-sided.js';

type Job = RunDetail['jobViews'][number];
const participants = (server: string, client: string) =>
  [
    ['server', server],
    ['client', client],
  ].map(([role, name]) => ({ role, build: { id: '', name } })) as unknown as AttemptDetail['participants'];
const job = (id: string, server: string, client: string, verdict: Verdict | null): Job =>
  ({ verdict, attempts: [{ id, participants: participants(server, client) }] }) as unknown as Job;
const measured = (server: string, client: string, ...figures: [number, number][]) => ({
  participants: participants(server, client),
  measurements: figures.map(([bytes, median]) => ({
    role: 'client',
    suite: 'perftest-pair',
    test: 'P6.ib_write_bw.odp',
    name: `ib_write_bw.odp.average.${bytes}`,
    unit: 'MiB/s',
    better: 'higher' as const,
    samples: [median],
    params: { bytes },
    median,
  })),
});

const RUN = {
  jobViews: [
    job('1', 'base', 'base', 'fail'),
    job('2', 'base', 'new', 'pass'),
    job('3', 'new', 'new', 'pass'),
    job('4', 'new', 'new', 'crash'),
    { verdict: null, attempts: [] } as unknown as Job,
    { verdict: 'pass', attempts: [{ id: '5', participants: participants('x', 'y').slice(0, 1) }] } as unknown as Job,
  ],
};

describe('a run with two machines in each job', () => {
  it('is a matrix of the kernels of both, with the worst job of each cell first', () => {
    expect(twoSidedMatrix(RUN)).toEqual({
      rows: { role: 'server', builds: ['base', 'new'] },
      columns: { role: 'client', builds: ['base', 'new'] },
      cells: [
        [{ jobs: [{ verdict: 'fail', attemptId: '1' }] }, { jobs: [{ verdict: 'pass', attemptId: '2' }] }],
        [
          { jobs: [] },
          {
            jobs: [
              { verdict: 'crash', attemptId: '4' },
              { verdict: 'pass', attemptId: '3' },
            ],
          },
        ],
      ],
    });
    expect(twoSidedMatrix({ jobViews: RUN.jobViews.slice(4) })).toBeNull();
  });

  it('has its figures by message size, a column for each pair of kernels', () => {
    const sizes = twoSidedSizes([
      measured('base', 'base', [65536, 10], [64, 1]),
      measured('base', 'new', [64, 2]),
      measured('base', 'new', [64, 4]),
      { ...measured('x', 'y', [64, 9]), participants: participants('x', 'y').slice(0, 1) },
    ]);
    expect(sizes.kernels).toEqual(['server: base, client: base', 'server: base, client: new']);
    expect(sizes.series.map(({ series, points }) => [series, points])).toEqual([
      [
        'ib_write_bw.odp.average',
        [
          {
            bytes: 64,
            values: [
              { median: 1, n: 1 },
              { median: 3, n: 2 },
            ],
          },
          { bytes: 65536, values: [{ median: 10, n: 1 }, null] },
        ],
      ],
    ]);
    const matrix = twoSidedMatrix(RUN);
    if (matrix === null) throw new Error('there is no matrix');
    const text = renderTwoSided(matrix, sizes);
    expect(text).toContain('| server | base | new |\n|---|---|---|\n| base | fail | pass |\n| new | – | crash, pass |');
    expect(text).toContain('### perftest-pair/ib_write_bw.odp.average\n\nMiB/s, higher is better; medians');
    expect(text).toMatch(/\| 64 KiB \| +10 \| +– \|/);
  });
});
