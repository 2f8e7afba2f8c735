import { once } from 'node:events';
import { connect } from 'node:net';
import { AGENT_PATH, LIVE_CLOSE, LIVE_PATH } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AbusedController } from './abused-controller.js';

/** Spins for ever on one signal, and breaks on the other: what no request can do. */
const FAULTS = `process.on('SIGUSR2', () => { for (;;); });
process.on('SIGTTIN', () => { throw new Error('a state that no code expects'); });`;
const PRELOAD = `data:text/javascript,${encodeURIComponent(FAULTS)}`;
/** Heavy requests of one caller that are answered at a time (caller-limit.ts). */
const IN_FLIGHT_MAX = 24;

let controller: AbusedController;
beforeAll(async () => {
  controller = await AbusedController.start();
});
afterAll(() => controller?.stop());

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** Sends bytes and returns what comes back until the other end closes, or until it has answered. */
async function raw(bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(controller.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (piece: Buffer) => (answer += piece.toString('latin1')));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.end(bytes);
  await controller.during(once(socket, 'close'));
  return answer;
}
const upgrade = (line: string, headers: string): Promise<string> =>
  raw(`${line} HTTP/1.1\r\n${headers}${UPGRADE}${KEY}\r\n`);

describe('what comes over a bare socket', () => {
  const host = 'Host: 127.0.0.1\r\n';
  it.each([
    ['two slashes', 'GET //', host],
    ['a path that is no URL', 'GET http://[', host],
    ['a percent sign', `GET ${LIVE_PATH}%`, host],
    ['a host that is no host', `GET ${LIVE_PATH}`, 'Host: a b\r\nOrigin: http://localhost:1\r\n'],
    ['an origin that is no origin', `GET ${LIVE_PATH}`, `${host}Origin: ://\r\n`],
    ['an origin of brackets', `GET ${LIVE_PATH}`, `${host}Origin: http://[[[\r\n`],
    ['no host', `GET ${LIVE_PATH}`, ''],
    ['a foreign host', `GET ${LIVE_PATH}`, 'Host: evil.example\r\n'],
    ['another port of this computer', `GET ${LIVE_PATH}`, `${host}Origin: http://127.0.0.1:9999\r\n`],
    ['no token', `GET ${AGENT_PATH}`, host],
    ['a token of odd bytes', `GET ${AGENT_PATH}`, `${host}Authorization: Bearer \u00ff\u0001\r\n`],
    ['another method', `DELETE ${LIVE_PATH}`, host],
  ])('is refused as an upgrade: %s', async (_what, line, headers) => {
    expect(await upgrade(line, headers)).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    await controller.answersWithin();
  });

  it('is refused, whatever it is', async () => {
    const frame = Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    const live = `GET ${LIVE_PATH} HTTP/1.1\r\n${host}${UPGRADE}${KEY}\r\n`;
    const garbage = [
      '\r\n\r\n',
      '\u0000'.repeat(5000),
      'GET\r\n\r\n',
      `GET ${'/'.repeat(5000)} HTTP/1.1\r\n${host}\r\n`,
      `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(5000)}\r\n`,
      `CONNECT evil.example:80 HTTP/1.1\r\n${host}\r\n`,
      `POST /api/v1/runs/check HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
      `POST /api/v1/runs/check HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `GET ${LIVE_PATH} HTTP/1.1\r\n${host}${UPGRADE}Sec-WebSocket-Key: short\r\n\r\n`,
      Buffer.concat([Buffer.from(live), frame]),
      Buffer.concat([Buffer.from(live), Buffer.from('not a frame at all')]),
    ];
    for (const bytes of garbage) {
      expect(await raw(bytes)).not.toMatch(/^HTTP\/1\.1 5/);
      await controller.answersWithin();
    }
  });

  it('ends in the middle of a handshake, many times', async () => {
    const { hostname, port } = new URL(controller.url);
    for (let index = 0; index < 50; index += 1) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(`GET ${index % 2 === 0 ? LIVE_PATH : AGENT_PATH} HTTP/1.1\r\n${host}${UPGRADE}${KEY}\r\n`);
      socket.resetAndDestroy();
    }
    await controller.answersWithin();
  });
});

describe('a page of another site that made its own name lead here', () => {
  it('gets nothing, and is told which setting would change that', async () => {
    for (const path of ['/', '/api/v1/runs', '/api/v1/health', '/api/v1/nothing']) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: evil.example:7470\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 421 /);
      expect(answer).toContain('PEERLAB_HOSTS');
    }
  });
});

/** Requests beyond the limit. */
const TOO_MANY = 6;

describe('one caller who asks for much at once', () => {
  async function live(): Promise<WebSocket> {
    const socket = new WebSocket(controller.url.replace('http', 'ws') + LIVE_PATH);
    socket.on('error', () => undefined);
    await once(socket, 'open');
    return socket;
  }

  it('is told to wait, and is answered again after that', async () => {
    const database = await controller.database();
    await database.query('begin');
    await database.query('lock table attempt, result in access exclusive mode');
    const first = fetch(`${controller.url}/api/v1/runs`);
    const asked = Array.from({ length: IN_FLIGHT_MAX + TOO_MANY }, () => fetch(`${controller.url}/api/v1/grid`));
    const answers: Response[] = [];
    // All that are too many, before the others are let through: on a busy computer they arrive one by one.
    const refused = new Promise<void>((resolve) => {
      for (const each of asked)
        void each.then(
          (answer) => answers.push(answer) === TOO_MANY && resolve(),
          () => undefined,
        );
    });
    await controller.during(refused);
    for (const { status, headers } of answers) {
      expect(status).toBe(429);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(headers.get('cache-control')).toBe('no-store');
    }
    await database.query('rollback');
    await database.end();
    const statuses = (await controller.during(Promise.all(asked))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429)).toHaveLength(TOO_MANY);
    expect(statuses.filter((status) => status === 200)).toHaveLength(IN_FLIGHT_MAX);
    expect((await first).status).toBe(200);
    expect((await fetch(`${controller.url}/api/v1/grid`)).status).toBe(200);
  });

  it.each([
    ['frames', (socket: WebSocket) => socket.send('{"type":"topics","topics":["runs"]}')],
    ['nonsense', (socket: WebSocket) => socket.send('x')],
    ['pings', (socket: WebSocket) => socket.ping()],
  ])('loses its live connection by too many %s, and no other one', async (_what, send) => {
    const [patient, greedy] = [await live(), await live()];
    const closed = once(greedy, 'close');
    for (let sent = 0; sent < 2000; sent += 1) send(greedy);
    // What was sent after the end may reset the connection before its reason arrives.
    expect([LIVE_CLOSE.limit, 1006]).toContain((await controller.during(closed))[0]);
    patient.ping();
    await controller.during(once(patient, 'pong'));
    patient.terminate();
  });
});

describe('a controller in a state that it cannot leave by itself', () => {
  it('ends at an error that no code expects, with a log line that can be found', async () => {
    const broken = await AbusedController.start({}, PRELOAD);
    try {
      broken.signal('SIGTTIN');
      expect(await broken.ended).toMatch(/^the controller ended with 1:/);
      expect(broken.log).toMatch(/"correlationId":"[0-9a-f-]{36}".*"event":"fatal-error"/);
    } finally {
      await broken.stop();
    }
  });

  it('is ended when its event loop stands still, and not when its process was stopped for longer', async () => {
    const stuck = await AbusedController.start({ PEERLAB_WATCHDOG_SECONDS: '3' }, PRELOAD);
    try {
      stuck.signal('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 5000));
      stuck.signal('SIGCONT');
      await stuck.answersWithin();
      stuck.signal('SIGUSR2');
      expect(await stuck.ended).toMatch(/^the controller ended with SIGKILL:/);
      expect(stuck.log).toContain('"stuckSeconds":3,"event":"event-loop-stuck"');
    } finally {
      await stuck.stop();
    }
  });
});
