import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AllowedHosts } from './allowed-hosts.js';
import { guardFrontDoor } from './front-door.js';

/** Long enough that a busy computer sends a small body within it. */
const BODY_MS = 1_000;

let server: FastifyInstance;
let port: number;
beforeEach(async () => {
  server = fastify();
  const noTokens = (): never => {
    throw new Error('no body here needs a token');
  };
  guardFrontDoor(server, new AllowedHosts({ host: '127.0.0.1', hosts: [] }), noTokens, BODY_MS);
  server.post('/whole', (request) => ({ got: request.body }));
  server.get('/slow', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1.5 * BODY_MS));
    return { slow: true };
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = server.server.address() as AddressInfo);
});
afterEach(() => server.close());

/** What comes back until the connection ends. */
async function send(...pieces: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (piece: Buffer) => (answer += piece.toString()));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  for (const piece of pieces) socket.write(piece);
  await once(socket, 'close');
  return answer;
}
const HEAD = 'Host: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n';

it('a body that is not there in time ends its connection', async () => {
  expect(await send(`POST /whole HTTP/1.1\r\n${HEAD}Content-Length: 100\r\n\r\n{`)).not.toContain('got');
  expect(await send(`POST /nowhere HTTP/1.1\r\n${HEAD}Content-Length: 100\r\n\r\n{`)).not.toContain('got');
});

it('one that is there in time is answered, however long the answer takes', async () => {
  expect(await send(`POST /whole HTTP/1.1\r\n${HEAD}Content-Length: 7\r\n\r\n{"a"`, ':1}')).toContain(
    '{"got":{"a":1}}',
  );
  expect(await send(`GET /slow HTTP/1.1\r\n${HEAD}\r\n`)).toContain('{"slow":true}');
});
