import { describe, expect, it } from 'vitest';
import type { AttemptDetail } from '../schema/attempts.js';
import type { RunDetail } from '../schema/run-detail.js';
import type { Verdict } from '../schema/verdict.js';
import { BOOTED_ONCE, renderTwoSided, renderTwoSidedSizes, twoSidedCsv } from './report/two-sided.js';
import { attemptsOfMatrix, sidesOfJob, sidesText, twoSidedMatrix, twoSidedSizes } from './two-sided.js';

type Job = RunDetail['jobViews'][number];
const participants = (server: string, client: string) =>
  [
    ['server', server],
    ['client', client],
  ].map(([role, name]) => ({
    role,
    build: { id: '', name },
    machine: `m-${role}`,
  })) as unknown as AttemptDetail['participants'];
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

/** A job that has not begun. */
const wanted = (server: string, client: string, verdict: Verdict | null): Job =>
  ({
    build: server,
    verdict,
    attempts: [],
    combination: { identity: { role: 'server', peers: [{ role: 'client', build: client }] } },
  }) as unknown as Job;
const figure = (median: number) => ({ median, lowest: median, highest: median, boots: 1, n: 1 });

const RUN = {
  jobViews: [
    job('1', 'base', 'base', 'fail'),
    job('2', 'base', 'new', 'pass'),
    job('3', 'new', 'new', 'pass'),
    job('4', 'new', 'new', 'crash'),
    wanted('new', 'base', 'not-reached'),
    wanted('new', 'base', null),
    { verdict: null, attempts: [] } as unknown as Job,
    { verdict: 'pass', attempts: [{ id: '5', participants: participants('x', 'y').slice(0, 1) }] } as unknown as Job,
  ],
};

function matrixOf() {
  const matrix = twoSidedMatrix(RUN);
  if (matrix === null) throw new Error('there is no matrix');
  return matrix;
}

describe('a run with two machines in each job', () => {
  it('is a matrix of the kernels of both, with the worst job of each cell first', () => {
    expect(twoSidedMatrix(RUN)).toEqual({
      rows: { role: 'server', builds: ['base', 'new'] },
      columns: { role: 'client', builds: ['base', 'new'] },
      cells: [
        [{ jobs: [{ verdict: 'fail', attemptId: '1' }] }, { jobs: [{ verdict: 'pass', attemptId: '2' }] }],
        [
          {
            jobs: [
              { verdict: 'not-reached', attemptId: null },
              { verdict: null, attemptId: null },
            ],
          },
          {
            jobs: [
              { verdict: 'crash', attemptId: '4' },
              { verdict: 'pass', attemptId: '3' },
            ],
          },
        ],
      ],
    });
    expect(twoSidedMatrix({ jobViews: RUN.jobViews.slice(6) })).toBeNull();
  });

  it('has sides that are named as they are, or as they are wanted', () => {
    const texts = RUN.jobViews.map(sidesOfJob).map((sides) => (sides === null ? null : sidesText(sides)));
    expect(texts.slice(0, 5)).toEqual([
      'server base on m-server, client base on m-client',
      'server base on m-server, client new on m-client',
      'server new on m-server, client new on m-client',
      'server new on m-server, client new on m-client',
      'server new, client base',
    ]);
    expect(texts.slice(6)).toEqual([null, null]);
  });

  it('has its figures by message size, a column for each pair of kernels', () => {
    const sizes = twoSidedSizes([
      measured('base', 'base', [65536, 10], [64, 1]),
      measured('base', 'new', [64, 2]),
      measured('base', 'new', [64, 4]),
      { ...measured('x', 'y', [64, 9]), participants: participants('x', 'y').slice(0, 1) },
    ]);
    expect(sizes.kernels.map(({ name }) => name)).toEqual(['server: base, client: base', 'server: base, client: new']);
    expect(sizes.series.map(({ series, role, points }) => [series, role, points])).toEqual([
      [
        'ib_write_bw.odp.average',
        'client',
        [
          { bytes: 64, values: [figure(1), { median: 3, lowest: 2, highest: 4, boots: 2, n: 2 }] },
          { bytes: 65536, values: [figure(10), null] },
        ],
      ],
    ]);
    const matrix = matrixOf();
    expect(attemptsOfMatrix(matrix)).toEqual(['1', '2', '4', '3']);
    const text = renderTwoSided(matrix, sizes);
    expect(text).toContain(
      '| server | base | new |\n|---|---|---|\n| base | fail | pass |\n| new | not reached, not begun | crash, pass |',
    );
    expect(text).toContain(
      '### perftest-pair/ib_write_bw.odp.average\n\nMiB/s, higher is better, measured by client\n',
    );
    expect(text).toMatch(/\| 64 B {3}\| +1, n = 1\/1 \| +3 \(2–4\), n = 2\/2 \|/);
    expect(text).toMatch(/\| 64 KiB \| +10, n = 1\/1 \| +– \|/);
    expect(text).not.toContain(BOOTED_ONCE);
  });

  it('that was booted once for each pair of kernels says that it compares nothing', () => {
    const text = renderTwoSidedSizes(
      twoSidedSizes([measured('base', 'base', [64, 1]), measured('base', 'new', [64, 2])]),
    );
    expect(text).toContain(BOOTED_ONCE);
    expect(text).toContain('measured by client; n = 1/1\n');
    expect(renderTwoSided(matrixOf(), twoSidedSizes([]))).not.toContain('message size');
  });

  it('keeps the figures of both roles apart', () => {
    const client = measured('base', 'base', [64, 1]);
    const measurements = client.measurements.flatMap((each) => [each, { ...each, role: 'server', median: 5 }]);
    const { series } = twoSidedSizes([{ ...client, measurements }]);
    expect(series.map(({ role, points }) => [role, points[0]?.values])).toEqual([
      ['client', [figure(1)]],
      ['server', [figure(5)]],
    ]);
  });

  it('is CSV with every digit, a line for each size and pair of kernels, and no cell that a spreadsheet would run', () => {
    const sizes = twoSidedSizes([measured('=base', 'a,b', [64, 1 / 3]), measured('new', 'new', [4096, 2])]);
    expect(twoSidedCsv(sizes).split('\r\n')).toEqual([
      'suite,series,measured_by,unit,better,bytes,kernel_server,kernel_client,median,lowest,highest,boots,samples',
      `perftest-pair,ib_write_bw.odp.average,client,MiB/s,higher,64,'=base,"a,b",${1 / 3},${1 / 3},${1 / 3},1,1`,
      'perftest-pair,ib_write_bw.odp.average,client,MiB/s,higher,4096,new,new,2,2,2,1,1',
      '',
    ]);
  });
});
