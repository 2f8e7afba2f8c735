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

it('a run that is repeated twice under one id is repeated once, and by its own user for that run only', async () => {
  const { id: first } = await farm.call('submitRun', { body: { yaml } });
  const { id: other } = await farm.call('submitRun', { body: { yaml } });
  const [before, id] = [await runs(), randomUUID()];
  const again = () => farm.call('retryRun', { params: { run: first }, body: { id } });
  const both = await Promise.all([again(), again(), again()]);
  expect(new Set([...both, await again()].map((run) => run.id))).toEqual(new Set([id]));
  const refused = await farm.request('retryRun', { params: { run: other }, body: { id } });
  expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'run-exists' }]);
  const stranger = await farm.request(
    'retryRun',
    { params: { run: first }, body: { id } },
    await farm.token('user', 'else'),
  );
  expect(stranger.status).toBe(409);
  expect(await runs()).toBe(before + 1);
  // Without an id each is a run of its own, also for clients that send no body.
  const url = new URL(`/api/v1/runs/${first}/retry`, farm.server.url);
  const plain = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${farm.userToken}` } });
  expect(plain.status).toBe(200);
  await farm.call('retryRun', { params: { run: first }, body: {} });
  expect(await runs()).toBe(before + 3);
});
