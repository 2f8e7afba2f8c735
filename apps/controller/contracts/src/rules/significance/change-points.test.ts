import { describe, expect, it } from 'vitest';
import { changesOfLines, type LinePoint } from './change-points.js';
import { seededRandom } from './random.js';

/** Points of runs in which each value is of its own kernel, unless `kernels` names them. */
const line = (values: readonly number[], kernels: readonly string[] = []): LinePoint[] =>
  values.map((median, index) => ({
    median,
    runId: `run ${index}`,
    kernel: { buildId: kernels[index] ?? `kernel ${index}` },
  }));
const random = seededRandom(3);
const around = (level: number, count: number): number[] =>
  Array.from({ length: count }, () => level * (1 + 0.01 * (random() - 0.5)));

describe('changes of a line', () => {
  it('stand where the level moved, with both levels', () => {
    const [found] = changesOfLines([line([...around(100, 6), ...around(110, 6), ...around(95, 6)])]);
    expect(found?.map(({ index, direction }) => [index, direction])).toEqual([
      [6, 'up'],
      [12, 'down'],
    ]);
    expect(found?.[0]?.before).toBeCloseTo(100, -1);
    expect(found?.[0]?.after).toBeCloseTo(110, -1);
  });
  it('are none for one stray run, for the newest two, and where nothing is above zero', () => {
    const calm = around(100, 8);
    expect(changesOfLines([line([...calm.slice(0, 4), 150, ...calm.slice(4)])])).toEqual([[]]);
    expect(changesOfLines([line([...calm, 150, 151])])).toEqual([[]]);
    expect(changesOfLines([line([0, ...calm, ...around(200, 8)])])).toEqual([[]]);
    expect(changesOfLines([line([]), line([5])])).toEqual([[], []]);
  });
  it('stand between kernels only: what differs on one kernel is noise', () => {
    const values = [...around(100, 5), ...around(120, 5)];
    expect(changesOfLines([line(values, Array<string>(10).fill('same'))])).toEqual([[]]);
  });
  it('count the boots of one run as one', () => {
    const boots = line([...around(100, 5), ...around(120, 5)]).map((point, index) => ({
      ...point,
      runId: index < 5 ? 'a' : 'b',
    }));
    expect(changesOfLines([boots])).toEqual([[]]);
  });
  it('are as good as never found where nothing changes', () => {
    const pages = Array.from({ length: 60 }, () => Array.from({ length: 12 }, () => line(around(100, 20))));
    const badged = pages.filter((lines) => changesOfLines(lines).some((found) => found.length > 0)).length;
    expect(badged / pages.length).toBeLessThanOrEqual(0.1);
  });
});
