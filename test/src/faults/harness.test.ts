import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { eventually } from '@peerlab/controller/testing';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { FrameSplitter } from './frame-splitter.js';
import { FaultyProxy } from './proxy.js';
import { FAULT_KINDS, makeSchedule } from './schedule.js';
import { virtualNow } from './virtual-time.js';

describe('a schedule', () => {
  it('is the same one for the same seed, and others for others', () => {
    expect(makeSchedule(17)).toEqual(makeSchedule(17));
    expect(makeSchedule(17)).not.toEqual(makeSchedule(18));
  });

  it('comes with every kind of fault sooner or later', () => {
    const kinds = new Set(
      Array.from({ length: 200 }, (_, seed) => makeSchedule(seed)).flatMap(({ faults }) =>
        faults.map(({ fault }) => fault.kind),
      ),
    );
    expect([...kinds].sort()).toEqual([...FAULT_KINDS].sort());
  });
});

it('virtual time agrees with real time at its epoch and runs faster from there', () => {
  const clock = { epochMs: 1000, rate: 6 };
  expect(virtualNow(clock, 1000)).toBe(1000);
  expect(virtualNow(clock, 1010)).toBe(1060);
});

it('finds whole frames however a connection is cut into pieces', () => {
  const head = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n');
  const small = Buffer.from([0x81, 2, 0x68, 0x69]);
  const large = Buffer.concat([Buffer.from([0x81, 126, 1, 0]), Buffer.alloc(256, 0x61)]);
  const ping = Buffer.from([0x89, 0]);
  const all = Buffer.concat([head, small, ping, large, small]);
  for (const size of [1, 3, 7, 64, all.length]) {
    const splitter = new FrameSplitter();
    const pieces = [];
    for (let at = 0; at < all.length; at += size) pieces.push(...splitter.push(all.subarray(at, at + size)));
    expect(pieces.map(({ bytes, isData }) => [bytes.length, isData])).toEqual([
      [head.length, false],
      [4, true],
      [2, false],
      [260, true],
      [4, true],
    ]);
  }
});

/** A WebSocket server that notes what arrives, and a client that reaches it through the proxy. */
async function connected(): Promise<{
  proxy: FaultyProxy;
  client: WebSocket;
  received: string[];
  closed: Promise<unknown>;
  stop: () => Promise<void>;
}> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const proxy = await FaultyProxy.start(() => (server.address() as AddressInfo).port);
  const received: string[] = [];
  const closed = new Promise((resolve) => {
    server.on('connection', (socket) => {
      socket.on('message', (data: Buffer) => received.push(data.toString()));
      socket.on('close', resolve);
    });
  });
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}`);
  client.on('error', () => undefined);
  await once(client, 'open');
  const stop = async (): Promise<void> => {
    client.terminate();
    for (const socket of server.clients) socket.terminate();
    await proxy.stop();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { proxy, client, received, closed, stop };
}

describe('the proxy', () => {
  it('doubles frames without breaking the connection', async () => {
    const { proxy, client, received, stop } = await connected();
    client.send('once');
    await eventually(
      'the frame',
      () => received.length,
      (count) => count === 1,
    );
    proxy.weather.duplicate = true;
    client.send('twice');
    await eventually(
      'the frame twice',
      () => received.length,
      (count) => count === 3,
    );
    expect(received).toEqual(['once', 'twice', 'twice']);
    await stop();
  });

  it('swallows everything in a black hole, also afterwards on the same connection', async () => {
    const { proxy, client, received, stop } = await connected();
    proxy.openBlackHole();
    client.send('lost');
    proxy.weather.blackHole = false;
    client.send('lost as well');
    const other = new WebSocket(`ws://127.0.0.1:${proxy.port}`);
    await once(other, 'open');
    other.send('heard');
    await eventually('a frame', () => received.length);
    expect(received).toEqual(['heard']);
    other.terminate();
    await stop();
  });

  it('delivers frames of a connection after its client has lost it', async () => {
    const { proxy, client, received, closed, stop } = await connected();
    proxy.weather.holdBack = true;
    client.send('late');
    const lost = once(client, 'close');
    await eventually('bytes that are held back', () => proxy.heldBytes);
    const delivered = proxy.cutAndDeliverLate(30);
    await lost;
    expect(received).toEqual([]);
    await delivered;
    await closed;
    expect(received).toEqual(['late']);
    await stop();
  });

  it('keeps order and content of a plain connection that it delays', async () => {
    const echo = createServer((socket: Socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const proxy = await FaultyProxy.start(() => (echo.address() as AddressInfo).port);
    proxy.weather.delayMs = 20;
    const socket = connect(proxy.port, '127.0.0.1');
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString()));
    socket.write('GET / HTTP/1.1\r\n\r\n');
    for (const word of ['one ', 'two ', 'three']) socket.write(word);
    await eventually(
      'all that was written',
      () => text,
      (read) => read.endsWith('three'),
    );
    expect(text).toBe('GET / HTTP/1.1\r\n\r\none two three');
    socket.destroy();
    await proxy.stop();
    await new Promise<void>((resolve) => echo.close(() => resolve()));
  });
});
