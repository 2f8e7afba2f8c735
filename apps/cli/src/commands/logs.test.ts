import { HttpClient } from '@peerlab/client';
import { type FakeAgent, takePair, type PairAttempt } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../exit-codes.js';
import { printLog, resolveLog } from './logs.js';

let farm: TestFarm;
let agents: FakeAgent[];
let pair: PairAttempt;
let api: HttpClient;

beforeAll(async () => {
  farm = await TestFarm.start();
  api = new HttpClient({ url: farm.server.url, token: () => farm.userToken });
  const { key } = (await farm.bundle('logs')).manifest;
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  agents = [lab, other];
  pair = await takePair(farm, key, lab, other);
  await lab.log(pair.server, 'test', 0, ['the server says']);
  await other.log(pair.client, 'test', 0, ['the client says']);
});
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await farm.stop();
});

async function printed(id: string, { machine, role }: { machine?: string; role?: string } = {}): Promise<string> {
  let text = '';
  const options = { from: 0, follow: false, timestamps: false, json: false };
  await printLog(api, await resolveLog(api, id, { machine, role }), 'test', options, (piece) => (text += piece));
  return text;
}

describe('the log of an attempt with two machines', () => {
  it('is chosen by role or by machine, from the attempt or from its run', async () => {
    for (const id of [pair.attempt, pair.run]) {
      expect(await printed(id, { role: 'client' })).toBe('the client says\n');
      expect(await printed(id, { machine: 'm2' })).toBe('the client says\n');
      expect(await printed(id, { machine: 'm1' })).toBe('the server says\n');
      expect(await printed(id)).toBe('the server says\n');
    }
  });

  it('of a machine that did not take part is refused by name', async () => {
    await expect(printed(pair.attempt, { machine: 'm3' })).rejects.toThrow(
      new UsageError('--machine m3: this attempt was on m1, m2'),
    );
    await expect(printed(pair.run, { machine: 'm3' })).rejects.toThrow(/has no attempt on m3 yet/);
  });
});
