import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpClient } from '@peerlab/client';
import { expect, it } from 'vitest';
import type { Context } from '../command.js';
import { submit } from './submit.js';

async function* bytes(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

it('a submission whose answer was lost is sent again under the same id', async () => {
  const bodies: { id: string; yaml: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      bodies.push(JSON.parse(body) as { id: string; yaml: string });
      if (bodies.length === 1) return void request.socket.destroy();
      const problem = {
        title: 'the run is not valid',
        status: 422,
        code: 'invalid-run',
        errors: [],
        correlationId: '1',
      };
      response.writeHead(422, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
    });
  });
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  const api = new HttpClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: () => 'x' });
  const context = { api, json: true, stdin: bytes('name: mine\n') } as unknown as Context;
  const options = { watch: false, wait: false, junit: undefined, check: false };
  try {
    // What is wrong with the run itself is said at once.
    await expect(submit(context, '-', options)).rejects.toThrow('the run is not valid');
    expect(bodies.map(({ yaml }) => yaml)).toEqual(['name: mine\n', 'name: mine\n']);
    expect(bodies[1]?.id).toBe(bodies[0]?.id);
    expect(bodies[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
  } finally {
    server.close();
  }
});
