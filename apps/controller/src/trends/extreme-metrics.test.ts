import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';

/** A metric comes from the kernel under test: no number of it may take a page from its readers. */
let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const SAMPLES: Record<string, number[]> = {
  large: [Number.MAX_VALUE, Number.MAX_VALUE, Number.MAX_VALUE, Number.MAX_VALUE],
  'both-signs': [-Number.MAX_VALUE, Number.MAX_VALUE, Number.MAX_VALUE],
  tiny: [Number.MIN_VALUE, Number.MIN_VALUE],
  mixed: [Number.MIN_VALUE, Number.MAX_VALUE],
  negative: [-Number.MAX_VALUE, -Number.MIN_VALUE],
};

it('grid, trend, comparison and metrics of kernels answer, whatever numbers a suite printed', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const { manifest } = await farm.bundle('extreme');
  const runs: string[] = [];
  const { buildId } = manifest;
  // In reverse the second time, so that ratios go both ways.
  for (const names of [Object.keys(SAMPLES), Object.keys(SAMPLES).toReversed()]) {
    const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    runs.push((await farm.call('submitRun', { body: { yaml } })).id);
    const attempt = await agent.take('test');
    const seen = { release: 'r', buildId, bootId: 'z', nonce: null, proven: true, detail: null, commandLine: null };
    await agent.events(
      attempt,
      0,
      { type: 'kernel', sighting: { phase: 'candidate', ...seen } },
      ...Object.values(SAMPLES).map((samples, index) => ({
        type: 'measurement' as const,
        suite: 'p2p-perf',
        test: 'P01',
        metric: { name: names[index] ?? '', unit: 'ns', better: 'lower' as const, samples, params: {} },
      })),
      { type: 'finished', failure: null, restored: true, lineCounts: {} },
    );
  }
  const [a = '', b = ''] = runs;
  const fleet = await farm.call('getFleet', {});
  const combination = fleet.machines[0]?.paths[0]?.combination.hash ?? '';
  await farm.call('getGrid', { query: {} });
  await farm.call('getBuildGrid', { query: {} });
  await farm.call('getKernelMetrics', { query: { combination } });
  await farm.call('getCompare', { query: { a, b } });
  await farm.call('listMetrics', {});
  for (const metric of Object.keys(SAMPLES)) {
    const { lines } = await farm.call('getTrend', { query: { suite: 'p2p-perf', metric, combination } });
    expect(lines.length).toBeGreaterThan(0);
  }
  agent.vanish();
});
