import type { Grid, GridColumn } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { falseAlarmsOf } from './false-alarms.js';

const BOOTS = 5;
const METRICS = 12;

function gridOf(
  machines: readonly string[],
  valueOf: (build: string, machine: string, metric: number) => number,
): Grid {
  const columns = machines.flatMap((machine) =>
    ['a', 'b'].flatMap((build) =>
      Array.from(
        { length: BOOTS },
        (_, boot): GridColumn => ({
          combination: { hash: machine } as GridColumn['combination'],
          build: {
            id: build,
            name: build,
            release: null,
            buildId: 'same',
            features: null,
            config: null,
            aliases: [],
            git: null,
          },
          machine,
          pair: null,
          runId: 'run',
          runName: 'run',
          jobId: `${machine} ${build} ${boot}`,
          attemptId: `${machine} ${build} ${boot}`,
          state: 'ended',
          verdict: 'pass',
          at: null,
          logLines: {},
          boot: { number: boot + 1, of: BOOTS },
          busy: null,
        }),
      ),
    ),
  );
  const metrics = Array.from({ length: METRICS }, (_, metric): Grid['metrics'][number] => ({
    suite: 's',
    test: 't',
    name: `m${metric}`,
    unit: 'ns',
    better: 'lower',
    noise: {},
    values: columns.map(({ build, machine }) => {
      const median = valueOf(build.name, machine ?? '', metric);
      return { median, lowerQuartile: median, upperQuartile: median, n: 11 };
    }),
  }));
  return {
    columns,
    rows: [],
    notes: [],
    cells: [],
    proofs: [],
    marks: [],
    known: [],
    metrics,
    generatedAt: '2026-01-01T00:00:00Z',
  };
}

describe('false alarms of a run with one kernel under two names', () => {
  it('are counted by machine, and a difference that is there would be seen', () => {
    const random = fc.sample(fc.double({ min: 0, max: 1, noNaN: true }), { numRuns: 2000, seed: 7 })[Symbol.iterator]();
    const next = (): number => random.next().value ?? 0.5;
    const grid = gridOf(['quiet', 'moved'], (build, machine, metric) => {
      const level = machine === 'moved' && metric === 0 && build === 'b' ? 2 : 1;
      return 100 * level * (1 + 0.01 * next());
    });
    const { machines, dealt } = falseAlarmsOf(grid, 20, next);
    expect(machines).toMatchObject([
      { machine: 'quiet', boots: 10, metrics: METRICS },
      { machine: 'moved', boots: 10, metrics: METRICS, badged: expect.arrayContaining(['m0']) as string[] },
    ]);
    expect(machines[0]?.badged.length).toBeLessThan(METRICS / 2);
    expect(dealt).toMatchObject({ pages: 20, metrics: 20 * 2 * METRICS });
    // Dealt out anew, the sides of the metric that moved are alike.
    expect(dealt.badged / dealt.metrics).toBeLessThan(0.1);
  });

  it('are not asked of two kernels', () => {
    const grid = gridOf(['m'], () => 1);
    const columns = grid.columns.map((column) =>
      column.build.name === 'b' ? { ...column, build: { ...column.build, buildId: 'other' } } : column,
    );
    expect(() => falseAlarmsOf({ ...grid, columns }, 0, () => 0)).toThrow(/one kernel under two names/);
  });
});
