import { mkdir, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertEvidence } from '../../testing/evidence.js';
import { TestFarm } from '../../testing/farm.js';

const SCRIPT = `export const text = '${'peer to peer '.repeat(500)}';`;

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
  const webDir = join(farm.settings.stateDir, 'web');
  await mkdir(join(webDir, 'assets'), { recursive: true });
  await writeFile(join(webDir, 'index.html'), `<title>Peerlab</title>${'<p>page</p>'.repeat(500)}`);
  await writeFile(join(webDir, 'assets/index-Ab12Cd34.js'), SCRIPT);
  await writeFile(join(webDir, 'assets/index-Ab12Cd34.js.br'), brotliCompressSync(SCRIPT));
  await writeFile(join(webDir, 'assets/plain-Ab12Cd34.js'), SCRIPT);
  await farm.server.close();
  Object.assign(farm.settings, { webDir });
  await farm.restart();
  await insertEvidence(farm.sql, 3);
});
afterAll(() => farm.stop());

/** The answer as it is on the wire: fetch would unfold it. */
async function get(path: string, accept: string, method = 'GET', body = ''): Promise<[IncomingMessage, Buffer]> {
  const headers = {
    'accept-encoding': accept,
    authorization: `Bearer ${farm.userToken}`,
    ...(body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(farm.server.url + path, { method, headers }, resolve)
      .on('error', reject)
      .end(body);
  });
  return [answer, await buffer(answer)];
}

it('JSON is compressed as the client accepts it, and a cache is told', async () => {
  const [plain, text] = await get('/api/v1/grid', 'identity');
  expect(plain.headers['content-encoding']).toBeUndefined();
  const [brotli, small] = await get('/api/v1/grid', 'gzip, deflate, br');
  expect(brotli.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding' });
  expect(small.length).toBeLessThan(text.length / 3);
  const gridOf = (content: Buffer) => ({ ...(JSON.parse(content.toString()) as object), generatedAt: '' });
  expect(gridOf(brotliDecompressSync(small))).toEqual(gridOf(text));
  const [gzip, other] = await get('/api/v1/grid', 'gzip');
  expect(gzip.headers['content-encoding']).toBe('gzip');
  expect(gridOf(gunzipSync(other))).toEqual(gridOf(text));
});

it('pages are compressed, assets are sent as the build compressed them, or as they are', async () => {
  const [page, html] = await get('/runs', 'br');
  expect(page.headers['content-encoding']).toBe('br');
  expect(brotliDecompressSync(html).toString()).toContain('<title>Peerlab');
  const [asset, script] = await get('/assets/index-Ab12Cd34.js', 'gzip, br');
  expect(asset.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding' });
  expect(asset.headers['content-type']).toMatch(/^application\/javascript/);
  expect(asset.headers['content-length']).toBe(String(script.length));
  expect(brotliDecompressSync(script).toString()).toBe(SCRIPT);
  const [old, whole] = await get('/assets/index-Ab12Cd34.js', 'identity');
  expect(old.headers['content-encoding']).toBeUndefined();
  expect(whole.toString()).toBe(SCRIPT);
  const [plain] = await get('/assets/plain-Ab12Cd34.js', 'gzip');
  expect(plain.statusCode).toBe(200);
});

it('small answers and answers of POST are not compressed: one of those has a token in it', async () => {
  const [small] = await get('/api/v1/health', 'br');
  expect(small.headers['content-encoding']).toBeUndefined();
  const yaml = `name: x\n${Array.from({ length: 60 }, (_, index) => `field${index}: 1`).join('\n')}\n`;
  const [report, text] = await get('/api/v1/runs/check', 'br', 'POST', JSON.stringify({ yaml }));
  expect(text.length).toBeGreaterThan(4096);
  expect(report.headers['content-encoding']).toBeUndefined();
});

it('a body that is compressed is not unfolded', async () => {
  const body = brotliCompressSync(JSON.stringify({ yaml: 'x'.repeat(100_000) }));
  const answer = await fetch(`${farm.server.url}/api/v1/runs/check`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'content-encoding': 'br' },
  });
  expect(answer.status).toBe(400);
});
