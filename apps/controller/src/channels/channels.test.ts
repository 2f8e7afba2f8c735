import { once } from 'node:events';
import { AGENT_PATH, AGENT_PROTOCOL, FromBrowser, LIVE_PATH, ToBrowser, type LogStream } from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { LogService } from '../logs/log.service.js';
import { announce } from '../platform/database/bus.js';
import { eventually } from '../testing/eventually.js';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let token: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  token = await farm.token('agent', 'lab');
});
afterAll(() => farm.stop());

/** Status of a refused upgrade. */
async function refusal(path: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(farm.server.url.replace('http', 'ws') + path, { headers });
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
  // Closing before it is open is an error of its own, which is of no interest here.
  socket.on('error', () => undefined);
  socket.terminate();
  return response.statusCode;
}

describe('the agent channel', () => {
  it('is refused before the upgrade without an agent token', async () => {
    expect(await refusal(AGENT_PATH, {})).toBe(401);
    expect(await refusal(AGENT_PATH, { authorization: 'Bearer plk_agent_wrong' })).toBe(401);
    expect(await refusal(AGENT_PATH, { authorization: `Bearer ${farm.userToken}` })).toBe(401);
    expect(await refusal('/api/v1/elsewhere', { authorization: `Bearer ${token}` })).toBe(404);
  });

  it('says why it refuses a protocol, a name, and frames it cannot read', async () => {
    const hello = {
      type: 'hello',
      site: 's',
      version: '1',
      capabilities: [],
      buildSlots: 0,
      machines: [],
      participants: [],
    };
    const cases: [string, string][] = [
      ['protocol', JSON.stringify({ ...hello, protocol: AGENT_PROTOCOL + 7, agent: 'lab' })],
      ['agent-name', JSON.stringify({ ...hello, protocol: AGENT_PROTOCOL, agent: 'other' })],
      ['malformed', '{"type":"hello"}'],
      ['malformed', 'not json'],
      ['malformed', JSON.stringify({ type: 'heartbeat', machines: [], participants: [] })],
    ];
    for (const [code, text] of cases) {
      const agent = await FakeAgent.connect(farm.server.url, token);
      agent.sendText(text);
      expect((await agent.next('refused')).code).toBe(code);
      expect(await agent.closed()).toBe(4000);
    }
  });

  it('the newer connection of an agent wins, also over one on another controller', async () => {
    const first = await FakeAgent.connect(farm.server.url, token);
    await first.hello();
    const second = await FakeAgent.connect(farm.server.url, token);
    await second.hello();
    expect(await first.closed()).toBe(4001);
    const elsewhere = '00000000-0000-4000-8000-000000000000';
    await farm.sql.run('update agent set connection = $1 where name = $2', [elsewhere, 'lab']);
    await announce(farm.sql, { type: 'agent-connected', agent: 'lab', connection: elsewhere });
    expect(await second.closed()).toBe(4001);
  });

  it('a late message about an older connection closes no newer one', async () => {
    const agent = await FakeAgent.connect(farm.server.url, token);
    await agent.hello();
    const older = '00000000-0000-4000-8000-000000000000';
    await announce(farm.sql, { type: 'agent-connected', agent: 'lab', connection: older });
    // Messages come in order: this one is acted upon after the one before.
    await announce(farm.sql, { type: 'agent-work', agent: 'lab' });
    agent.heartbeat([]);
    await agent.next('renewed');
    agent.vanish();
  });

  it('a machine is offline as soon as its agent is gone, and says since when', async () => {
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    expect(await farm.call('getMachine', { params: { machine: 'm1' } })).toMatchObject({
      observed: 'online',
      problem: null,
    });
    agent.vanish();
    await farm.until(
      'm1 to be offline',
      () => farm.call('getMachine', { params: { machine: 'm1' } }),
      ({ observed, problem }) =>
        observed === 'offline' && problem?.startsWith('its agent lab has been silent since') === true,
    );
  });

  it('a heartbeat overtakes the log before it, so that a chatty kernel costs nobody the lease', async () => {
    const { manifest } = await farm.bundle('lanes');
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    await farm.call('submitRun', { body: { yaml: `name: t\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
    const { participantId, fence } = await agent.take('test');
    await agent.log({ participantId, fence }, 'serial', 0, ['first']);
    let stored: Promise<void> | undefined;
    const holder = await farm.sql.pool.connect();
    try {
      await holder.query('begin');
      await holder.query('select 1 from stream where participant_id = $1 for update', [participantId]);
      stored = agent.log({ participantId, fence }, 'serial', 1, ['second']);
      agent.heartbeat([{ participantId, fence, machine: 'm1', stage: 'test', nextSeq: { serial: 2 } }]);
      await agent.next('renewed');
      expect(agent.received.filter((m) => m.type === 'ack' && m.next === 2)).toEqual([]);
      await holder.query('commit');
    } finally {
      holder.release();
    }
    await stored;
    agent.vanish();
  });

  it('a machine stays with its agent while that one is alive', async () => {
    const owner = await farm.agent({ mine: 'BUS_ADDR' });
    const heir = await farm.agent({}, { name: 'heir', machines: ['mine'], token: { site: 'test-site' } });
    heir.heartbeat();
    expect((await farm.call('getMachine', { params: { machine: 'mine' } })).agent).toBe('lab');
    owner.vanish();
    await farm.until('the heir to have the machine', async () => {
      heir.heartbeat();
      return (await farm.call('getMachine', { params: { machine: 'mine' } })).agent === 'heir';
    });
    heir.vanish();
  });
});

describe('the live channel', () => {
  const open: WebSocket[] = [];
  afterEach(() => {
    for (const socket of open.splice(0)) socket.terminate();
  });

  async function browser(): Promise<{
    send: (frame: unknown) => void;
    until: (match: (all: ToBrowser[]) => boolean) => Promise<ToBrowser[]>;
  }> {
    const socket = new WebSocket(farm.server.url.replace('http', 'ws') + LIVE_PATH);
    open.push(socket);
    const all: ToBrowser[] = [];
    socket.on('message', (data: Buffer) => all.push(ToBrowser.parse(JSON.parse(data.toString()))));
    await once(socket, 'open');
    return {
      send: (frame) => socket.send(JSON.stringify(frame)),
      until: (match) => eventually('messages of the live channel', () => all, match),
    };
  }
  const texts = (all: ToBrowser[], stream: LogStream) =>
    all.flatMap((message) => (message.type === 'log' && message.stream === stream ? message.lines : []));

  it('tells of changes of the topics asked for, and of no others', async () => {
    const page = await browser();
    page.send(FromBrowser.parse({ type: 'topics', topics: ['machines'] }));
    page.send({ type: 'nonsense' });
    await page.until((all) => all.some(({ type }) => type === 'error'));
    await announce(farm.sql, { type: 'changed', topics: ['builds'] });
    await announce(farm.sql, { type: 'changed', topics: ['machines'] });
    // With the answer to the first frame, or after it.
    const all = await page.until((seen) =>
      seen.some((m) => m.type === 'changed' || (m.type === 'resumed' && (m.changed ?? []).length > 0)),
    );
    const told = all.flatMap((message) => {
      if (message.type === 'resumed') return message.changed;
      return message.type === 'changed' ? [message.topic] : [];
    });
    expect(told).toEqual(['machines']);
  });

  it('tails a log from any place: what is stored first, then what comes, each line once and in order', async () => {
    const { manifest } = await farm.bundle('tail');
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    // The attempt of a test before is lost with it.
    agent.heartbeat();
    await farm.call('submitRun', { body: { yaml: `name: t\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
    const attempt = await agent.take('test');
    const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`);
    await agent.log(attempt, 'serial', 0, numbered(0, 1500));
    const page = await browser();
    page.send({ type: 'tail', attemptId: attempt.participantId, stream: 'serial', fromSeq: 100 });
    for (let from = 1500; from < 3000; from += 100)
      await agent.log(attempt, 'serial', from, numbered(from, from + 100));
    await agent.log(attempt, 'kernel', 0, ['not asked for']);
    const all = await page.until((seen) => texts(seen, 'serial').length >= 2900);
    expect(texts(all, 'serial').map(({ seq }) => seq)).toEqual(Array.from({ length: 2900 }, (_, i) => 100 + i));
    expect(texts(all, 'kernel')).toEqual([]);

    // Pages that have seen the same lines share what is read for them.
    const pages = await Promise.all(Array.from({ length: 20 }, () => browser()));
    for (const { send } of pages) {
      send({ type: 'tail', attemptId: attempt.attemptId, stream: 'serial', fromSeq: 2999 });
    }
    for (const each of pages) await each.until((seen) => texts(seen, 'serial').length === 1);
    const reads = vi.spyOn(farm.server.app.get(LogService), 'lines');
    await agent.log(attempt, 'serial', 3000, ['for all']);
    for (const each of pages) {
      const seen = await each.until((messages) => texts(messages, 'serial').length === 2);
      expect(texts(seen, 'serial').at(-1)?.text).toBe('for all');
    }
    expect(reads.mock.calls.length).toBeLessThan(pages.length);
    reads.mockRestore();
    agent.vanish();
  });
});

it('foreign pages may not open a channel, nor those of another port of this machine', async () => {
  const { host } = new URL(farm.server.url);
  expect(await refusal(LIVE_PATH, { origin: 'https://evil.example' })).toBe(403);
  expect(await refusal(LIVE_PATH, { origin: 'http://127.0.0.1:9' })).toBe(403);
  expect(await refusal(LIVE_PATH, { host: 'evil.example', origin: 'http://evil.example' })).toBe(421);
  const socket = new WebSocket(farm.server.url.replace('http', 'ws') + LIVE_PATH, { origin: `http://${host}` });
  await once(socket, 'open');
  socket.terminate();
});
