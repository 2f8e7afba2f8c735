import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXIT } from './exit-codes.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const ID = '6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d';

/** A controller with one attempt, whose log never ends. */
let server: Server;
beforeAll(async () => {
  server = createServer(({ url = '' }, response) => {
    const from = Number(new URL(url, 'http://x').searchParams.get('from'));
    const lines = Array.from({ length: 2000 }, (_, index) => ({
      seq: from + index,
      at: 1,
      text: `line ${from + index}`,
    }));
    const log = { attemptId: ID, stream: 'test', lines, total: 1e9, complete: false, removedAt: null };
    response.end(JSON.stringify(url.includes('/ids/') ? [{ kind: 'attempt', id: ID, name: 'm1 / base' }] : log));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

it.each([[[]], [['--follow']], [['--json']]])('a followed log ends quietly with its reader %j', async (options) => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [MAIN, '--url', url, 'logs', ID.slice(0, 8), ...options]);
  const said = text(child.stderr);
  const ended = once(child, 'exit').then(async () => {
    throw new Error(`ended before it printed anything; is it compiled (npm run build:types)? ${await said}`);
  });
  ended.catch(() => undefined);
  await Promise.race([once(child.stdout, 'data'), ended]);
  // As `head` does: the reading end of the pipe closes.
  child.stdout.destroy();
  const [code] = (await once(child, 'exit')) as [number | null];
  expect({ code, said: await said }).toEqual({ code: EXIT.done, said: '' });
});
