import { once } from 'node:events';
import { request } from 'node:http';
import { FRAME_MAX_BYTES, LIVE_PATH } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AbusedController } from './abused-controller.js';

let controller: AbusedController;
beforeAll(async () => {
  controller = await AbusedController.start();
}, 600_000);
afterAll(() => controller?.stop());

async function live(): Promise<WebSocket> {
  const socket = new WebSocket(controller.url.replace('http', 'ws') + LIVE_PATH);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

/** Answer to a path that no client would normalise away. */
function getRaw(path: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(controller.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method: 'GET' }, (response) => {
      let body = '';
      response.on('data', (piece: Buffer) => (body += piece.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('oversized', () => {
  it('frames end their connection and nothing else', async () => {
    const viewer = await live();
    viewer.send('x'.repeat(64 * 1024 + 1));
    expect((await once(viewer, 'close'))[0]).toBe(1009);
    const agent = await controller.agent();
    agent.sendText('x'.repeat(FRAME_MAX_BYTES + 1));
    expect(await controller.during(agent.closed())).toBe(1009);
    await controller.answersWithin();
  });

  it('bodies and headers are refused', async () => {
    const headers = { authorization: `Bearer ${controller.userToken}`, 'content-type': 'application/json' };
    const large = JSON.stringify({ yaml: 'x'.repeat(14 * 1024 * 1024) });
    const answer = await fetch(`${controller.url}/api/v1/runs`, { method: 'POST', headers, body: large }).then(
      ({ status }) => status,
      // It may hang up before it was sent everything.
      () => 413,
    );
    expect(answer).toBe(413);
    const long = await fetch(`${controller.url}/api/v1/runs`, { headers: { 'x-long': 'x'.repeat(20_000) } }).then(
      ({ status }) => status,
      () => 431,
    );
    expect(long).toBe(431);
    await controller.answersWithin();
  });
});

describe('paths', () => {
  it.each([
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
    '/assets/../../../../../../etc/passwd',
    '/assets/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/....//....//etc/passwd',
    '/%00/etc/passwd',
    '/\\..\\..\\etc\\passwd',
    '/api/v1/artifacts/..%2f..%2f..%2fetc%2fpasswd',
    '/api/v1/artifacts/../../../../etc/passwd',
    '/%c0%ae%c0%ae/etc/passwd',
    '/%',
    '/%E0%A4%A',
  ])('%s leads nowhere', async (path) => {
    const { status, body } = await controller.during(getRaw(path));
    expect(status, body.slice(0, 300)).toBeLessThan(500);
    expect(body).not.toMatch(/root:.*:0:0:/);
  });
});

describe('a million subscriptions', () => {
  it('cost no memory that grows with them', async () => {
    const VIEWERS = 200;
    const ROUNDS = 100;
    const TOPICS = 50;
    const topics = (round: number): string[] =>
      Array.from(
        { length: TOPICS },
        (_, index) => `run:${String(round * TOPICS + index).padStart(8, '0')}-0000-4000-8000-000000000000`,
      );
    const viewers = await Promise.all(Array.from({ length: VIEWERS }, live));
    await controller.answersWithin();
    const before = controller.memoryMib;
    for (let round = 0; round < ROUNDS; round += 1) {
      const pongs = viewers.map((viewer) => once(viewer, 'pong'));
      for (const viewer of viewers) {
        viewer.send(JSON.stringify({ type: 'topics', topics: topics(round) }));
        viewer.ping();
      }
      await controller.during(Promise.all(pongs));
    }
    const grown = controller.memoryMib - before;
    console.log(`${VIEWERS * ROUNDS * TOPICS} subscriptions: ${grown.toFixed(0)} MiB more`);
    expect(grown).toBeLessThan(120);
    expect(await controller.answersWithin()).toBeLessThan(10_000);
    for (const viewer of viewers) viewer.terminate();
  }, 300_000);
});

describe('a log line in the controller’s own log', () => {
  it('is one line of JSON, whatever is in it', async () => {
    const evil = '\n{"level":"info","time":"2000-01-01","event":"forged"}\u001b[2J\r\n';
    const agent = await controller.agent();
    agent.sendText(JSON.stringify({ type: 'inventory', machine: 'm', inventory: evil }));
    await controller.during(agent.closed());
    await getRaw(`/api/v1/runs/${encodeURIComponent(evil)}`);
    const database = await controller.database();
    // A request that fails inside writes its URL down.
    await database.query('alter table run rename to run_away');
    const { status } = await getRaw(`/api/v1/runs?cursor=${encodeURIComponent(evil)}&limit=1`);
    await database.query('alter table run_away rename to run');
    await database.end();
    expect(status).toBeGreaterThanOrEqual(400);
    const lines = controller.log.split('\n').filter((line) => line !== '');
    for (const line of lines) expect(() => JSON.parse(line) as unknown, line).not.toThrow();
    expect(lines.some((line) => /"event":"forged"/.test(line) && !line.includes('\\n'))).toBe(false);
    // oxlint-disable-next-line no-control-regex
    expect(controller.log).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });
});
