import { Socket, createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  FRAME_MAX_BYTES,
  FromAgent,
  LEASE_SECONDS,
  type ToAgent,
} from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { collectLog, type LogEntry } from '../testing/log-entries.js';
import { channelUrl, httpBase } from './controller-url.js';
import { Link, linkPauseMs } from './link.js';

const TOKEN = 'plk_agent_test';
let server: WebSocketServer;
let port: number;
let sockets: WebSocket[];
let received: FromAgent[];
let token: string;
let entries: LogEntry[];
let messages: ToAgent[];
let downs: number;
let link: Link;
let answerPings: boolean;
let tooLarge: { type: string; bytes: number }[];
let onMessage: () => void;
/** Status of upgrades that are refused; with another one than 401 all of them are. */
let refusal: number;

function listen(at: number): Promise<void> {
  server = new WebSocketServer({
    port: at,
    host: '127.0.0.1',
    path: AGENT_PATH,
    autoPong: answerPings,
    verifyClient: ({ req }, answer) =>
      answer(req.headers.authorization === `Bearer ${TOKEN}` && refusal === 401, refusal),
  });
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data) => {
      const frame = FromAgent.parse(JSON.parse((data as Buffer).toString()));
      received.push(frame);
      if (frame.type === 'hello') {
        socket.send(JSON.stringify({ type: 'welcome', protocol: AGENT_PROTOCOL, agent: 'lab', participants: [] }));
      }
    });
  });
  return new Promise((resolve) => server.on('listening', () => resolve()));
}

beforeEach(async () => {
  [sockets, received, messages, downs, token, answerPings] = [[], [], [], 0, TOKEN, true];
  entries = collectLog();
  tooLarge = [];
  refusal = 401;
  onMessage = () => undefined;
  await listen(0);
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  vi.restoreAllMocks();
  link.stop();
  for (const socket of sockets) socket.terminate();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

function start(at = port): void {
  link = new Link(
    {
      controller: `http://127.0.0.1:${at}`,
      readToken: () => token,
      heartbeatMs: 40,
      pauseMs: () => 20,
    },
    {
      hello: () => ({
        type: 'hello',
        protocol: AGENT_PROTOCOL,
        agent: 'lab',
        site: 'home',
        version: '0',
        capabilities: ['test'],
        buildSlots: 0,
        testSlots: null,
        machines: [],
        participants: [],
      }),
      heartbeat: () => ({ type: 'heartbeat', machines: [], participants: [] }),
      onMessage: (message) => {
        messages.push(message);
        onMessage();
      },
      onTooLarge: ({ type }, bytes) => tooLarge.push({ type, bytes }),
      onDown: () => {
        downs += 1;
      },
    },
  );
  link.start();
}

describe('Link', () => {
  it('says hello, is welcomed, and then beats', async () => {
    start();
    await eventually('heartbeats', () => received.filter((frame) => frame.type === 'heartbeat').length >= 2);
    expect(received[0]?.type).toBe('hello');
    expect(messages[0]?.type).toBe('welcome');
    expect(link.up).toBe(true);
  });

  it('comes back after the controller was away, with a new hello', async () => {
    start();
    await eventually('up', () => link.up);
    for (const socket of sockets) socket.terminate();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await eventually('down', () => !link.up);
    expect(link.send({ type: 'heartbeat', machines: [], participants: [] })).toBe(false);
    await listen(port);
    await eventually('up again', () => link.up);
    expect(downs).toBe(1);
    expect(received.filter((frame) => frame.type === 'hello')).toHaveLength(2);
  });

  it('throws away a half-open connection', async () => {
    // A proxy that goes on accepting but lets nothing through any more.
    let blackHole = false;
    const through: Socket[] = [];
    const proxy: Server = createServer((client) => {
      through.push(client);
      if (blackHole) return;
      const upstream = new Socket();
      upstream.connect(port, '127.0.0.1');
      through.push(upstream);
      client.on('data', (chunk) => blackHole || upstream.write(chunk));
      upstream.on('data', (chunk) => blackHole || client.write(chunk));
      for (const end of [client, upstream]) end.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    start((proxy.address() as AddressInfo).port);
    await eventually('up', () => link.up);
    blackHole = true;
    await eventually('noticed', () => downs === 1);
    expect(entries.some((entry) => entry.event === 'link-half-open')).toBe(true);
    blackHole = false;
    await eventually('up again', () => link.up);
    for (const socket of through) socket.destroy();
    await new Promise<void>((resolve) => proxy.close(() => resolve()));
  });

  it('names the token file when the token is refused, and takes a corrected one', async () => {
    token = 'wrong';
    start();
    await eventually('refusal', () => entries.some((entry) => String(entry['reason']).includes('tokenFile')));
    token = TOKEN;
    await eventually('up', () => link.up);
  });

  it('names the setting of a controller that does not know its own host', async () => {
    refusal = 421;
    start();
    await eventually('refusal', () => entries.some((entry) => entry.event === 'link-failed'));
    const failed = entries.find((entry) => entry.event === 'link-failed');
    expect(failed?.['reason']).toMatch(/127\.0\.0\.1.*\(421\).*PEERLAB_HOSTS/);
  });

  it('drops a connection that sends what nobody understands', async () => {
    start();
    await eventually('up', () => link.up);
    sockets[0]?.send('{"type":"surprise"}');
    await eventually('dropped', () => downs === 1);
    await eventually('up again', () => link.up);
    expect(entries.some((entry) => entry.event === 'message-malformed')).toBe(true);
  });

  it('never sends what the controller would hang up for, and says so', async () => {
    start();
    await eventually('up', () => link.up);
    const held = { participantId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11', fence: 1 };
    const frame = (size: number): FromAgent => ({ type: 'declined', ...held, reason: 'é'.repeat(size) });
    expect(link.send(frame(FRAME_MAX_BYTES / 2))).toBe(false);
    expect(tooLarge).toEqual([{ type: 'declined', bytes: expect.any(Number) }]);
    expect(entries).toContainEqual(
      expect.objectContaining({ event: 'frame-too-large', type: 'declined', participant: held.participantId }),
    );
    expect(link.send(frame(1000))).toBe(true);
    await eventually('the next one', () => received.some((each) => each.type === 'declined'));
    expect(downs).toBe(0);
  });

  it('outlives handlers that throw', async () => {
    let throwing = true;
    onMessage = () => {
      if (throwing) throw new Error('a bug');
    };
    start();
    await eventually('logged', () => entries.some(({ err }) => err instanceof Error && err.message === 'a bug'));
    throwing = false;
    await eventually('heartbeats', () => received.filter((frame) => frame.type === 'heartbeat').length >= 2);
    expect(downs).toBe(0);
    expect(entries.find((entry) => entry.event === 'link-handler-failed')).toMatchObject({ what: 'welcome' });
  });

  it('reports a refusal in the words of the controller', async () => {
    start();
    await eventually('up', () => link.up);
    sockets[0]?.send(JSON.stringify({ type: 'refused', code: 'protocol', message: 'speak 2' }));
    await eventually('logged', () => entries.some((entry) => entry['reason'] === 'speak 2'));
  });
});

it('tries a lost connection again several times within a lease', () => {
  expect(linkPauseMs(0, () => 1)).toBeLessThanOrEqual(500);
  for (const attempt of [4, 50, 5000]) expect(linkPauseMs(attempt, () => 1)).toBe(4000);
  expect(4 * linkPauseMs(50, () => 1)).toBeLessThan(LEASE_SECONDS * 1000);
});

describe('URLs', () => {
  it('takes any scheme and a path prefix', () => {
    expect(channelUrl('https://farm.example/lab/')).toBe(`wss://farm.example/lab${AGENT_PATH}`);
    expect(channelUrl('ws://h:7470')).toBe(`ws://h:7470${AGENT_PATH}`);
    expect(httpBase('ws://h:7470')).toBe('http://h:7470');
  });
});
