import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

it('a job is repeated by a new run of it alone; asked twice, or by two at once, it is one run', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' }, { capabilities: ['test'] });
  const { manifest } = await farm.bundle('retried');
  const yaml = `name: r
builds: [{name: a, bundle: ${manifest.key}}, {name: b, bundle: ${manifest.key}, suites: [p2p-perf]}]
suites: [p2p-functional, p2p-perf]
suiteMachines: {p2p-functional: {names: [m1]}}
`;
  await farm.call('setMachine', { params: { machine: 'm2' }, body: { desired: 'drained', reason: 'new cables' } });
  const { id } = await farm.call('submitRun', { body: { yaml } });
  const first = await farm.call('getRun', { params: { run: id } });
  const job = first.jobViews.find(({ build, machine }) => build === 'b' && machine === 'm2')?.id ?? '';
  const early = await farm.request('retryJob', { params: { job } });
  expect(early.status).toBe(409);
  expect(await early.json()).toMatchObject({ code: 'job-open' });
  await farm.call('cancelRun', { params: { run: id } });

  const both = await Promise.all([1, 2].map(() => farm.call('retryJob', { params: { job } })));
  const again = await farm.call('retryJob', { params: { job } });
  expect(new Set([...both, again].map((run) => run.id)).size).toBe(1);
  expect(again.id).not.toBe(id);
  const repeated = await farm.call('getRun', { params: { run: again.id } });
  expect(repeated.jobViews).toMatchObject([{ build: 'b', machine: 'm2', kind: 'test' }]);
  expect(repeated.spec).toMatchObject({ suites: ['p2p-perf'], machines: { names: ['m2'] } });
  expect(repeated.trigger.detail).toBe(`tester, m2/b again after ${id}`);
  // The first one keeps what it showed.
  expect(await farm.call('getRun', { params: { run: id } })).toMatchObject({
    state: 'ended',
    verdict: first.verdict ?? 'canceled',
  });
  // When that has ended, it can be tried once more.
  await farm.call('cancelRun', { params: { run: again.id } });
  expect((await farm.call('retryJob', { params: { job } })).id).not.toBe(again.id);
  const nobody = await farm.request('retryJob', { params: { job: '00000000-0000-4000-8000-000000000000' } });
  expect(nobody.status).toBe(404);
  expect((await farm.request('retryJob', { params: { job } }, null)).status).toBe(401);
  agent.vanish();
});
