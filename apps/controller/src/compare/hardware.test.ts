import type { Combination } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertBoots, insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { TestFarm } from '../testing/farm.js';
import { chooseTwo } from './hardware.js';

const RUNS = 4;

let farm: TestFarm;
let evidence: SampleEvidence;
beforeAll(async () => {
  farm = await TestFarm.start();
  evidence = await insertEvidence(farm.sql, RUNS);
});
afterAll(() => farm?.stop());

const buildOf = async (name: string): Promise<string> => {
  const { build } = await farm.call('getRun', { params: { run: evidence.runs.at(-1) ?? '' } }).then(({ jobViews }) => ({
    build: jobViews.find((job) => job.build === name)?.buildId ?? '',
  }));
  return build;
};
const on = (kind: 'BUS_ADDR' | 'THRU_HOST_BRIDGE' | 'NOT_SUPPORTED') => evidence.hardware[kind].combination;

describe('one kernel on two combinations', () => {
  it('is compared test by test, of all its runs', async () => {
    const { comparison, combinations, kernels } = await farm.call('getHardware', {
      query: { build: await buildOf('dma-alias'), a: on('BUS_ADDR'), b: on('THRU_HOST_BRIDGE') },
    });
    expect(combinations).toHaveLength(3);
    expect(kernels.map(({ name }) => name)).toContain('base');
    // The third and the fourth run have the same kernel.
    expect(comparison?.a).toMatchObject({ attempts: 2, machines: ['story-bus-addr'] });
    expect(comparison?.rows.map(({ test, class: change }) => [test, change])).toEqual([['thp_alias', 'regressed']]);
    expect(comparison?.rows[0]).toMatchObject({
      a: { verdict: 'pass', n: 2 },
      b: { verdict: 'fail', n: 2, reason: expect.stringContaining('byte 8192') },
    });
    expect(comparison?.counts).toMatchObject({ regressed: 1, fixed: 0, same: 5 });
  });

  it('has verdicts on metrics by boots of both machines, which are what differs', async () => {
    const query = { build: await buildOf('dma-alias'), a: on('BUS_ADDR'), b: on('NOT_SUPPORTED') };
    const few = await farm.call('getHardware', { query });
    expect(new Set(few.comparison?.metrics.map(({ why }) => why))).toEqual(new Set(['few-boots']));
    await insertBoots(farm.sql, 3, 'BUS_ADDR', 5);
    await insertBoots(farm.sql, 3, 'NOT_SUPPORTED', 5);
    const { comparison } = await farm.call('getHardware', { query });
    const of = (name: string) => comparison?.metrics.find((metric) => metric.name === name);
    expect(of('fault_map_device_pte')).toMatchObject({ says: 'worse', why: null });
    expect(of('fault_map_ram')).toMatchObject({ says: 'unclear' });
    const back = await farm.call('getHardware', { query: { ...query, a: query.b, b: query.a } });
    expect(back.comparison?.metrics.find(({ name }) => name === 'fault_map_device_pte')).toMatchObject({
      says: 'better',
    });
  });

  it('has defaults for everything, and names a build that was never built', async () => {
    const { comparison } = await farm.call('getHardware', {});
    expect(comparison?.a.combination.hash).not.toBe(comparison?.b.combination.hash);
    const missing = '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11';
    const response = await farm.request('getHardware', { query: { build: missing } });
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining(missing)]);
  });
});

it('never compares a combination with itself', () => {
  const all = ['x', 'y', 'z'].map((hash) => ({ hash }) as Combination);
  const hashes = (a?: string, b?: string) => chooseTwo(all, a, b).map((each) => each?.hash);
  expect([hashes(), hashes('y'), hashes(undefined, 'x'), hashes('z', 'z'), hashes('gone', 'y')]).toEqual([
    ['x', 'y'],
    ['y', 'x'],
    ['y', 'x'],
    ['z', 'x'],
    ['x', 'y'],
  ]);
  expect(chooseTwo(all.slice(0, 1), undefined, undefined)[1]).toBeUndefined();
});
