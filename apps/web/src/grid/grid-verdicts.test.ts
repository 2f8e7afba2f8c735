import { expect, it } from 'vitest';
import { clearChanges } from './grid-verdicts.js';
import { compareMetric, type GridMetricRow } from './model.js';

const column = (build: string, boot: number) => ({
  attemptId: `${build} ${boot}`,
  runId: 'r',
  machine: 'm',
  combination: { hash: 'c' },
  build: { id: build, buildId: build === 'same' ? 'base' : build },
});
const metric = (name: string, ...medians: number[]): GridMetricRow => ({
  suite: 's',
  test: 't',
  name,
  unit: 'ns',
  better: 'lower',
  noise: {},
  values: medians.map((median) => ({ median, lowerQuartile: median, upperQuartile: median, n: 5 })),
});
const BOOTS = [0, 1, 2, 3, 4];

it('columns of one boot each have no verdict, however far apart they are; five boots of a run with repeat have one', () => {
  const one = metric('m', 100, 50);
  const few = clearChanges([one], [column('base', 0), column('new', 0)], () => [0, 1]);
  expect(compareMetric(one, 1, [0, 1], few)).toMatchObject({ factor: 2, direction: 'lower', clear: false });

  const columns = ['base', 'new', 'same'].flatMap((build) => BOOTS.map((boot) => column(build, boot)));
  const around = (level: number): number[] => BOOTS.map((boot) => level + boot / 10);
  const moved = metric('moved', ...around(100), ...around(50), ...around(70));
  const calm = metric('calm', ...around(100), ...around(100), ...around(100));
  const isClear = clearChanges([moved, calm], columns, () => columns.map((_, index) => index));
  expect([0, 5, 9, 10].map((at) => isClear(moved, at))).toEqual([false, true, true, false]);
  expect([5, 10].map((at) => isClear(calm, at))).toEqual([false, false]);
});
