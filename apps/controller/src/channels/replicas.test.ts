import { once } from 'node:events';
import { LIVE_PATH, ToBrowser } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { RunningServer } from '../server.js';
import { eventually } from '../testing/eventually.js';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let other: RunningServer;
let yaml: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  const { manifest } = await farm.bundle('replicas');
  yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  other = await farm.replica();
  return () => other.close();
});

const submit = () => farm.call('submitRun', { body: { yaml } });
const finished = { type: 'finished', failure: null, restored: true, lineCounts: { serial: 200 } } as const;
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`);

/** A browser's tail of one serial stream, over a controller of its own. */
async function tail(url: string, participantId: string) {
  const socket = new WebSocket(url.replace('http', 'ws') + LIVE_PATH);
  const texts: string[] = [];
  socket.on('message', (data: Buffer) => {
    const message = ToBrowser.parse(JSON.parse(data.toString()));
    if (message.type === 'log') texts.push(...message.lines.map(({ text }) => text));
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'tail', attemptId: participantId, stream: 'serial', fromSeq: 0 }));
  return {
    texts,
    until: (count: number) =>
      eventually(
        `${count} lines`,
        () => texts.length,
        (seen) => seen >= count,
      ),
    close: () => socket.terminate(),
  };
}

describe('two controllers on one database', () => {
  it('an agent on the one gets work that was submitted to the other, and a browser there sees its log grow', async () => {
    await farm.agent({ m1: 'BUS_ADDR' });
    const token = await farm.token('agent', 'lab');
    // The newest connection speaks for the agent, on whichever controller it is.
    const agent = await FakeAgent.connect(other.url, token, { machines: ['m1'] });
    await agent.hello();
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, numbered(0, 50));
    const page = await tail(farm.server.url, attempt.participantId);
    for (let from = 50; from < 200; from += 10) await agent.log(attempt, 'serial', from, numbered(from, from + 10));
    await page.until(200);
    expect(page.texts).toEqual(numbered(0, 200));
    page.close();
    await agent.events(attempt, 0, finished);
    expect(await farm.call('getRun', { params: { run: run.id } })).toMatchObject({ state: 'ended' });
    agent.vanish();
  });

  it('any of them may end: its agent goes on with the other one where it was', async () => {
    const token = await farm.token('agent', 'lab');
    const first = await FakeAgent.connect(other.url, token, { machines: ['m1'] });
    await first.hello();
    const run = await submit();
    const attempt = await first.take('test');
    await first.log(attempt, 'serial', 0, numbered(0, 120));
    const page = await tail(farm.server.url, attempt.participantId);
    await page.until(120);
    await other.close();
    await first.closed();
    const { participantId, fence } = attempt;
    const agent = await FakeAgent.connect(farm.server.url, token, { machines: ['m1'] });
    const { participants } = await agent.hello([
      { participantId, fence, machine: 'm1', stage: 'test', state: 'running', nextSeq: { serial: 200 } },
    ]);
    expect(participants).toMatchObject([{ participantId, ackedNext: { serial: 120 } }]);
    await agent.log(attempt, 'serial', 120, numbered(120, 200));
    await page.until(200);
    expect(page.texts).toEqual(numbered(0, 200));
    page.close();
    await agent.events(attempt, 0, finished);
    expect(await farm.call('getRun', { params: { run: run.id } })).toMatchObject({
      state: 'ended',
      jobViews: [{ attempts: [{ number: 1, failure: null }] }],
    });
    agent.vanish();
  });
});
