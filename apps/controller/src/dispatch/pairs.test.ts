import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { mixedInventory } from '../testing/samples.js';

const [near, far] = ['0000:03:00.0', '0000:05:00.0'];
const client = '0000:04:00.0';
let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ 'v-mixed': 'BUS_ADDR' });
  agent.inventory('v-mixed', mixedInventory());
  await farm.until('both pairs', async () => {
    const { machines } = await farm.call('getFleet', {});
    return machines[0]?.paths.length === 2;
  });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

describe('a machine with a second provider on another path', () => {
  it('has a job, a column and an assignment for each pair, which names the other provider', async () => {
    const { manifest } = await farm.bundle('pairs');
    const yaml = `name: pairs\nbuilds: [{name: b, bundle: ${manifest.key}}]\nsuites: [p2p-functional]\n`;
    const { plan } = await farm.call('checkRun', { body: { yaml } });
    expect(plan.map(({ pair, pathKind }) => [pair.provider, pathKind])).toEqual([
      [near, 'BUS_ADDR'],
      [far, 'NOT_SUPPORTED'],
    ]);
    const run = await farm.call('submitRun', { body: { yaml } });
    const tested: unknown[] = [];
    for (const _ of plan) {
      const attempt = await agent.take('test');
      const { work } = attempt;
      if (work.kind !== 'test') throw new Error('no test');
      tested.push([work.path.provider.address, work.path.client.address, work.path.kind, work.otherProviders]);
      await agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
    }
    expect(tested).toEqual([
      [near, client, 'BUS_ADDR', [far]],
      [far, client, 'NOT_SUPPORTED', [near]],
    ]);
    const { columns } = await farm.call('getGrid', { query: { run: run.id } });
    expect(new Set(columns.map(({ combination }) => combination.hash)).size).toBe(2);
    expect(new Set(columns.map(({ pair }) => pair?.provider))).toEqual(new Set([near, far]));
  });

  it('is repeated as the job of one pair', async () => {
    const [first] = await farm.call('listRuns', { query: {} });
    const { jobViews } = await farm.call('getRun', { params: { run: first?.id ?? '' } });
    const job = jobViews.find(({ pair }) => pair?.provider === far);
    const again = await farm.call('retryJob', { params: { job: job?.id ?? '' } });
    const { jobViews: repeated } = await farm.call('getRun', { params: { run: again.id } });
    expect(repeated.map(({ pair }) => pair?.provider)).toEqual([far]);
  });
});
