import { createHash } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from './api-error.js';
import { HttpClient } from './http-client.js';

/** What a call was rejected with. */
async function failureOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => null,
    (failure: unknown) => failure,
  );
  if (error instanceof ApiError) return error;
  throw new Error(`no ApiError: ${String(error)}`);
}

describe('with a controller', () => {
  let farm: TestFarm;
  let client: HttpClient;
  beforeAll(async () => {
    farm = await TestFarm.start();
    client = new HttpClient({ url: `${farm.server.url}//`, token: () => farm.userToken });
  });
  afterAll(() => farm?.stop());

  it('parses an answer by the schema of its route', async () => {
    expect(client.url).toBe(farm.server.url);
    expect(await client.call('health', {})).toMatchObject({ status: 'ok', database: 'ok' });
    expect(await client.call('listRuns', { query: { limit: 3 } })).toEqual([]);
  });

  it('says of a refused call what is wrong, where, and what to do', async () => {
    const error = await failureOf(client.call('submitRun', { body: { yaml: 'name: x\nbuild: []\n' } }));
    expect(error.problem.status).toBe(422);
    expect([error.route, error.isTransient]).toEqual(['submitRun', false]);
    expect(error.message).toContain('\n  line 2, column 1 (build): unknown field "build" — ');
  });

  it('reads the token anew for every call', async () => {
    let token: string | null = null;
    const user = new HttpClient({ url: farm.server.url, token: () => token });
    expect((await failureOf(user.call('session', {}))).problem).toMatchObject({ status: 401, code: 'unauthorized' });
    token = farm.userToken;
    expect(await user.call('session', {})).toEqual({ user: 'tester' });
  });

  it('stores an artifact and reads it back as a blob, a stream, and text', async () => {
    const content = new TextEncoder().encode('a bundle with \u0000 and ünïcode');
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(await client.upload(sha256, content)).toEqual({ sha256, sizeBytes: content.length });
    const params = { sha256 };
    expect(new Uint8Array(await (await client.blob('getArtifact', { params })).arrayBuffer())).toEqual(content);
    expect(await client.text('getArtifact', { params })).toBe('a bundle with \u0000 and ünïcode');
    const stream = await client.stream('getArtifact', { params });
    expect(await new Response(stream).text()).toBe('a bundle with \u0000 and ünïcode');
    const other = await failureOf(client.upload('0'.repeat(64), content));
    expect(other.problem.status).toBeGreaterThanOrEqual(400);
    const absent = await failureOf(client.blob('getArtifact', { params: { sha256: '0'.repeat(64) } }));
    expect(absent.problem.status).toBe(404);
  });
});

describe('with a server that is no controller', () => {
  let server: Server | null = null;
  const serve = async (listener: RequestListener): Promise<HttpClient> => {
    server = createServer(listener);
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return new HttpClient({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      token: () => null,
    });
  };
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = null;
  });

  it('says that nothing answers, where, and why', async () => {
    const client = await serve(() => undefined);
    server?.close();
    const error = await failureOf(client.call('health', {}));
    expect(error.message).toBe(`The controller does not answer at ${client.url} (ECONNREFUSED)`);
    expect([error.problem.code, error.isTransient]).toEqual(['unreachable', true]);
  });

  it('ends a call that is not answered within its limit', async () => {
    const client = await serve(() => undefined);
    const error = await failureOf(client.call('getFleet', {}, { timeoutMs: 20 }));
    expect(error.message).toBe(`The controller at ${client.url} did not answer getFleet within 0.02 s`);
    expect([error.problem.code, error.isTransient]).toEqual(['timeout', true]);
  });

  it('ends a call whose answer stops in the middle', async () => {
    const client = await serve((_, response) => void response.writeHead(200).write('{"status":'));
    expect((await failureOf(client.call('health', {}, { timeoutMs: 50 }))).problem.code).toBe('timeout');
  });

  it('reports an answer that was cut off as no answer', async () => {
    const client = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"status":', () => response.destroy());
    });
    expect((await failureOf(client.call('health', {}))).problem.code).toBe('unreachable');
  });

  it('repeats the beginning of an error answer that is no problem document', async () => {
    const client = await serve((_, response) => {
      response.writeHead(502, { 'x-correlation-id': 'c1' }).end(`<h1>bad gateway</h1>${'x'.repeat(9_000)}`);
    });
    const { problem, isTransient } = await failureOf(client.call('health', {}));
    expect(problem).toMatchObject({ title: 'The controller answered 502', code: 'unknown', correlationId: 'c1' });
    expect(problem.detail).toMatch(/^<h1>bad gateway<\/h1>x+$/);
    expect([problem.detail?.length, isTransient]).toEqual([300, true]);
  });

  it.each([
    ['no JSON', 'hello'],
    ['another shape', '{"status":"ok","database":"gone","version":"1"}'],
  ])('does not take %s for an answer', async (_what, body) => {
    const client = await serve((_, response) => void response.end(body));
    const { problem, isTransient } = await failureOf(client.call('health', {}));
    expect(problem.code).toBe('contract');
    expect(problem.detail).toMatch(/^health: .*different versions/);
    expect(isTransient).toBe(false);
  });

  it('rejects with the reason of the caller’s signal, also while a file is read', async () => {
    const client = await serve((_, response) => void response.writeHead(200).write('first'));
    const stop = new AbortController();
    const never = client.call('health', {}, { signal: stop.signal });
    const params = { attempt: '00000000-0000-4000-8000-000000000000', stream: 'serial' } as const;
    const reader = (
      await client.stream('getRawLog', { params }, { signal: stop.signal, timeoutMs: 5_000 })
    ).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('first');
    stop.abort(new Error('enough'));
    await expect(never).rejects.toThrow('enough');
    await expect(reader.read()).rejects.toThrow('enough');
    await expect(client.call('health', {}, { signal: stop.signal })).rejects.toThrow('enough');
  });

  it('does not end a file that takes longer than the limit of its head', async () => {
    let finish: () => void = () => undefined;
    const client = await serve((_, response) => {
      response.writeHead(200).write('begin');
      finish = () => void response.end(' end');
    });
    const params = { run: '00000000-0000-4000-8000-000000000000' };
    const text = client.text('getBadge', { params }, { timeoutMs: 50 });
    await new Promise((resolve) => setTimeout(resolve, 120));
    finish();
    expect(await text).toBe('begin end');
  });
});
