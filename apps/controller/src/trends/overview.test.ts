import { OVERVIEW_LINES_MAX, OVERVIEW_POINTS_MAX, type Combination } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { arrangeOverview, type OverviewPoint } from './overview.js';

const combination: Combination = {
  hash: 'a'.repeat(64),
  label: 'c',
  identity: {
    provider: 'p',
    client: 'c',
    pathKind: 'BUS_ADDR',
    platform: { system: 's', cpuVendor: 'v', cpuFamily: 1, iommu: 'none' },
  },
};
const point = (name: string, median: number, index = 0): OverviewPoint => ({
  suite: 's',
  name,
  unit: 'ns',
  better: 'lower',
  median,
  stored_at: new Date(index),
  attempt_id: `${name} ${index}`,
  run_id: `run ${index}`,
  n: 10,
  combination: combination.hash,
  build: 'b',
  build_id: `kernel ${index}`,
  role: null,
  facing: null,
});
const line = (name: string, medians: readonly number[]): OverviewPoint[] =>
  medians.map((median, index) => point(name, median, index));

describe('the overview', () => {
  it('has first what changed for certain, then what the newest boot is far off in, and says how many boots there are', () => {
    const calm = [100, 100.3, 99.8, 100.1, 99.9, 100.2];
    const { lines } = arrangeOverview(
      [
        ...line('calm', [...calm, ...calm]),
        ...line('stray', [...calm, ...calm.slice(1), 150]),
        ...line('moved', [...calm, ...calm.map((value) => value * 0.9)]),
        ...line('once', [5]),
        ...line('zero', [0, 5]),
      ],
      [combination],
    );
    expect(lines.map(({ metric }) => metric).slice(0, 3)).toEqual(['moved', 'stray', 'calm']);
    expect(lines[0]).toMatchObject({ change: { index: 6, direction: 'down' }, n: 120 });
    expect(lines[1]).toMatchObject({ change: null, ratio: expect.closeTo(1.5, 1) });
    expect(lines.filter(({ ratio }) => ratio === null).map(({ metric }) => metric)).toEqual(['once', 'zero']);
  });

  it('cuts nothing without saying so', () => {
    const many = Array.from({ length: OVERVIEW_LINES_MAX + 1 }, (_, index) => point(`metric ${index}`, 1));
    const cut = arrangeOverview(many, [combination]);
    expect([cut.lines.length, cut.linesTotal, cut.isCut]).toEqual([OVERVIEW_LINES_MAX, OVERVIEW_LINES_MAX + 1, false]);
    const long = line('long', Array<number>(OVERVIEW_POINTS_MAX + 1).fill(1));
    expect(arrangeOverview(long, [combination]).isCut).toBe(true);
  });
});
