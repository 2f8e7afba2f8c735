import { fileURLToPath } from 'node:url';
import { HttpClient, LiveChannel } from '@peerlab/client';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';

const WEB = fileURLToPath(new URL('../../../apps/web', import.meta.url));

let farm: TestFarm;
let dev: ViteDevServer;
let url: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  vi.stubEnv('PEERLAB_CONTROLLER', farm.server.url);
  dev = await createServer({ root: WEB, logLevel: 'error', server: { port: 0, strictPort: false } });
  await dev.listen();
  url = (dev.resolvedUrls?.local[0] ?? '').replace(/\/$/, '');
});
afterAll(async () => {
  await dev?.close();
  vi.unstubAllEnvs();
  await farm?.stop();
});

it('serves the pages from source, and passes the API on to the controller that PEERLAB_CONTROLLER names', async () => {
  expect(await (await fetch(url)).text()).toContain('/src/main.tsx');
  const client = new HttpClient({ url, token: () => farm.userToken });
  expect(await client.call('session', {})).toEqual({ user: 'tester' });
});

it('passes the live channel on, as a browser opens it', async () => {
  /** A browser names the origin of the page. */
  class PageSocket extends WebSocket {
    constructor(address: string) {
      super(address, { origin: url });
    }
  }
  const topics: (string | null)[] = [];
  const channel = new LiveChannel({
    url,
    token: () => null,
    WebSocket: PageSocket,
    since: null,
    onChanged: (topic) => topics.push(topic),
  });
  try {
    channel.watch(['runs']);
    await farm.until(
      'the channel to open',
      () => channel.state,
      (state) => state === 'open',
    );
    await farm.changed('runs');
    await farm.until('news of runs', () => topics.includes('runs'));
  } finally {
    channel.close();
  }
});
