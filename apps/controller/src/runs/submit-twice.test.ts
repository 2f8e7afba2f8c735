import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let yaml: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  await farm.agent({ m1: 'BUS_ADDR' }, { capabilities: ['test'] });
  const { manifest } = await farm.bundle('twice');
  yaml = `name: r\nbuilds: [{name: a, bundle: ${manifest.key}}]\nsuites: [p2p-functional]\n`;
});
afterAll(() => farm.stop());

const runs = async () => (await farm.call('listRuns', { query: {} })).length;

it('a run that is submitted again under its id, later or at once, is one run', async () => {
  const [before, id] = [await runs(), randomUUID()];
  const send = () => farm.call('submitRun', { body: { yaml, id } });
  const both = await Promise.all([send(), send(), send()]);
  const later = await send();
  expect(new Set([...both, later].map((run) => run.id))).toEqual(new Set([id]));
  expect(await runs()).toBe(before + 1);
});

it('an id of another run is refused, and nothing changes', async () => {
  const { id } = await farm.call('submitRun', { body: { yaml } });
  const before = await runs();
  const refused = await farm.request('submitRun', { body: { yaml: `${yaml}# another\n`, id } });
  expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'run-exists' }]);
  expect(await runs()).toBe(before);
});
