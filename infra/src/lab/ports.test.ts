import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { assertPortFree } from './ports.js';
import { answersSsh } from './ssh-banner.js';

test('a taken port is named with the setting that moves it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(assertPortFree(port, 'v-switch')).rejects.toMatchObject({
    message: `port ${port}, for SSH to v-switch, is taken by another program`,
    remedy: expect.stringContaining('--lab-port-base') as string,
  });
  server.close();
  await once(server, 'close');
  await expect(assertPortFree(port, 'v-switch')).resolves.toBeUndefined();
});

test.each([
  ['SSH-2.0-OpenSSH_9.2\r\n', true],
  ['HTTP/1.1 400 Bad Request\r\n', false],
])('a server that says %j answers SSH: %s', async (greeting, expected) => {
  const server = createServer((socket) => socket.end(greeting)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await answersSsh(port)).toBe(expected);
  server.close();
  await once(server, 'close');
  expect(await answersSsh(port)).toBe(false);
});
