import { Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeAgent } from '../../testing/fake-agent.js';
import { TestFarm } from '../../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

it('tokens are made, shown once, used, revoked, and their hashes stay where they are', async () => {
  const { token, secret } = await farm.call('createToken', { body: { kind: 'agent', name: 'lab-9' } });
  expect(secret).toMatch(/^plk_agent_/);
  expect(token).toMatchObject({ kind: 'agent', name: 'lab-9', revokedAt: null, lastUsedAt: null, current: false });
  const key = 'c'.repeat(64);
  expect((await farm.request('findBundle', { params: { key } }, secret)).status).toBe(404);

  const response = await farm.request('listTokens', {});
  const text = await response.text();
  expect(text).not.toContain(secret);
  for (const { hash } of await farm.sql.rows<{ hash: string }>('select hash from token')) {
    expect(text).not.toContain(hash);
  }
  const list = await farm.call('listTokens', {});
  expect(list.find(({ id }) => id === token.id)?.lastUsedAt).not.toBeNull();
  expect(list.filter(({ current }) => current).map(({ name }) => name)).toEqual(['tester']);

  const revoked = await farm.call('revokeToken', { params: { token: token.id } });
  expect(revoked.revokedAt).not.toBeNull();
  expect((await farm.request('findBundle', { params: { key } }, secret)).status).toBe(401);
  // Once more changes nothing.
  expect(await farm.call('revokeToken', { params: { token: token.id } })).toEqual(revoked);
});

it('only users manage them, and nobody locks himself out', async () => {
  expect((await farm.request('listTokens', {}, null)).status).toBe(401);
  expect((await farm.request('listTokens', {}, await farm.token('agent', 'lab'))).status).toBe(403);
  const own = (await farm.call('listTokens', {})).find(({ current }) => current);
  const refused = await farm.request('revokeToken', { params: { token: own?.id ?? '' } });
  expect(Problem.parse(await refused.json())).toMatchObject({ status: 409, code: 'own-token' });
  const unknown = await farm.request('revokeToken', { params: { token: '00000000-0000-4000-8000-000000000000' } });
  expect(unknown.status).toBe(404);
});

it('a connected agent is cut off when its token is revoked, and others stay', async () => {
  const { token, secret } = await farm.call('createToken', { body: { kind: 'agent', name: 'gone' } });
  const gone = await FakeAgent.connect(farm.server.url, secret, { name: 'gone' });
  await gone.hello();
  const stays = await farm.agent({}, { name: 'stays' });
  await farm.call('revokeToken', { params: { token: token.id } });
  await gone.closed();
  await expect(FakeAgent.connect(farm.server.url, secret)).rejects.toThrow('401');
  expect(stays.closeCode).toBeNull();
  stays.vanish();
});
