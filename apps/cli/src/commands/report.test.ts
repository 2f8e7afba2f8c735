import { HttpClient } from '@peerlab/client';
import type { AttemptEvent } from '@peerlab/contracts';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { type FakeAgent, takePair } from '@peerlab/controller/testing';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderGrid } from '../render/grid.js';
import { jsonReport, markdownReport } from './report.js';

/** Server and client of an attempt, each on its own kernel, report a metric of one name. */
const FINISHED: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
const figure = (sample: number): AttemptEvent => ({
  type: 'measurement',
  suite: 'p2p-functional',
  test: 'alias_read',
  metric: { name: 'bw.64', unit: 'MiB/s', better: 'higher', samples: [sample], params: {} },
});

let farm: TestFarm;
let agents: FakeAgent[];
let client: HttpClient;
let run: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  const [ofServer, ofClient] = [await farm.bundle('of-server'), await farm.bundle('of-client')];
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  agents = [lab, other];
  const pair = await takePair(farm, ofServer.manifest.key, lab, other, ofClient.manifest.key);
  ({ run } = pair);
  await lab.events(pair.server, 0, figure(10), FINISHED);
  await other.events(pair.client, 0, figure(20), FINISHED);
  client = new HttpClient({ url: farm.server.url, token: () => farm.userToken });
});
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await farm.stop();
});

it('the report as data has the figures of each role, and each sample on the machine and the kernel that gave it', async () => {
  const report = await jsonReport(client, run);
  expect(report).toMatchObject({
    machines: [
      {
        rows: [
          { name: 'bw.64', role: 'client', values: [{ median: 20 }] },
          { name: 'bw.64', role: 'server', values: [{ median: 10 }] },
        ],
      },
    ],
    samples: expect.arrayContaining([
      expect.objectContaining({ role: 'server', machine: 'm1', build: 'b', samples: [10] }),
      expect.objectContaining({ role: 'client', machine: 'm2', build: 'c', samples: [20] }),
    ]),
  });
});

it('report and grid as text call each by its role', async () => {
  const grid = renderGrid(await farm.call('getGrid', { query: { run } }), false);
  const report = await markdownReport(client, run);
  for (const role of ['client', 'server']) {
    expect(grid).toMatch(new RegExp(`^bw\\.64 \\(${role}\\) \\(MiB/s, higher is better\\) +[12]0$`, 'm'));
    expect(report).toContain(`| bw.64 (${role}) | MiB/s, higher is better |`);
  }
});
