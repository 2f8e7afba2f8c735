import { HttpClient } from '@peerlab/client';
import type { AttemptEvent } from '@peerlab/contracts';
import { type FakeAgent, sampleResult, takePair } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { explain } from './explain.js';

let farm: TestFarm;
let agents: FakeAgent[];
let attempt: string;
const finished = (failure: Extract<AttemptEvent, { type: 'finished' }>['failure']): AttemptEvent => ({
  type: 'finished',
  failure,
  restored: true,
  lineCounts: {},
});

beforeAll(async () => {
  farm = await TestFarm.start();
  const [ofServer, ofClient] = [await farm.bundle('of-server'), await farm.bundle('of-client')];
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  agents = [lab, other];
  const pair = await takePair(farm, ofServer.manifest.key, lab, other, ofClient.manifest.key);
  ({ attempt } = pair);
  const result = { ...sampleResult('p2p-functional', 'alias_read'), status: 'fail' as const, reason: 'data differ' };
  await other.events(
    pair.client,
    0,
    { type: 'result', result },
    finished({ class: 'kernel-crash', stage: 'test', message: 'Oops in rxe', signature: 'Oops in rxe' }),
  );
  await lab.events(
    pair.server,
    0,
    finished({ class: 'peer', stage: 'test', message: 'participant client failed', signature: null }),
  );
});
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await farm.stop();
});

it('says of an attempt with two machines what each booted, whose failure it was and who failed which test', async () => {
  const api = new HttpClient({ url: farm.server.url, token: () => farm.userToken });
  const { text } = await explain({ api, colour: false } as Parameters<typeof explain>[0], attempt);
  expect(text).toContain('server b on m1, client c on m2: ended');
  expect(text).toContain('kernel-crash of client in the stage test: ');
  expect(text).toMatch(/fail {2}client p2p-functional\/alias_read: data differ/);
});
