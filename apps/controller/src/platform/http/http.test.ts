import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RUN } from '../../testing/samples.js';
import { TestFarm } from '../../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start({ artifactMaxBytes: 10_000, webDir: '/nonexistent/web' });
});
afterAll(() => farm.stop());

const problem = async (response: Response) => Problem.parse(await response.json());
const digest = (content: Buffer) => createHash('sha256').update(content).digest('hex');

describe('access', () => {
  it('reads are public, writes need a user, uploads a user or an agent that builds', async () => {
    const submit = { body: { yaml: SAMPLE_RUN } };
    expect((await farm.request('listRuns', {}, null)).status).toBe(200);
    expect(await problem(await farm.request('submitRun', submit, null))).toMatchObject({
      status: 401,
      code: 'unauthorized',
    });
    const agentToken = await farm.token('agent', 'lab');
    expect(await problem(await farm.request('submitRun', submit, agentToken))).toMatchObject({ status: 403 });
    const content = Buffer.from('by an agent');
    // Who may upload is a matter of the agent's work: see access.test.ts of the builds.
    expect((await farm.upload(digest(content), content, agentToken)).status).toBe(403);
    expect((await farm.upload(digest(content), content, 'plk_user_wrong')).status).toBe(401);
  });

  it('a token names its user, until it is revoked', async () => {
    const token = await farm.token('user', 'eve');
    expect(await (await farm.request('session', {}, token)).json()).toEqual({ user: 'eve' });
    await farm.sql.run(`update token set revoked_at = clock_timestamp() where name = 'eve'`);
    expect((await farm.request('session', {}, token)).status).toBe(401);
    const stored = await farm.sql.rows<{ hash: string }>('select hash from token');
    expect(stored.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true);
  });
});

describe('problems', () => {
  it('have the correlation id in body and header', async () => {
    const response = await farm.request('getRun', { params: { run: '00000000-0000-4000-8000-000000000000' } });
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const body = await problem(response);
    expect(body).toMatchObject({ status: 404, code: 'not-found' });
    expect(response.headers.get('x-correlation-id')).toBe(body.correlationId);
  });

  it('name the field', async () => {
    const query = await problem(await fetch(`${farm.server.url}/api/v1/runs?limit=0`));
    expect(query).toMatchObject({ status: 400, errors: [{ path: 'limit' }] });
    const year = await problem(await fetch(`${farm.server.url}/api/v1/runs?before=0000-02-29T23:57:43Z`));
    expect(year).toMatchObject({ status: 400, errors: [{ path: 'before' }] });
    const path = await problem(await fetch(`${farm.server.url}/api/v1/runs/nonsense`));
    expect(path).toMatchObject({ status: 400, errors: [{ path: 'run' }] });
    const body = { method: 'POST', body: '{"yml":""}', headers: { 'content-type': 'application/json' } };
    const unknown = await problem(await fetch(`${farm.server.url}/api/v1/runs/check`, body));
    expect(unknown.status).toBe(422);
    expect(unknown.errors.map(({ message }) => message)).toContain('unknown field "yml"');
  });

  it('answer unknown routes, bad JSON, odd types and large bodies', async () => {
    const url = `${farm.server.url}/api/v1/runs/check`;
    const send = (body: string, type: string, headers: Record<string, string> = {}) =>
      fetch(url, { method: 'POST', body, headers: { 'content-type': type, ...headers } });
    const authorization = { authorization: `Bearer ${farm.userToken}` };
    expect(await problem(await fetch(`${farm.server.url}/api/v1/nothing`))).toMatchObject({ status: 404 });
    expect(await problem(await fetch(`${farm.server.url}/api/v2`, { method: 'DELETE' }))).toMatchObject({
      status: 404,
    });
    expect(await problem(await fetch(`${farm.server.url}/%zz`))).toMatchObject({ status: 400 });
    expect(await problem(await send('{', 'application/json'))).toMatchObject({ status: 400 });
    expect(await problem(await send('<a/>', 'text/xml'))).toMatchObject({ status: 415 });
    const large = JSON.stringify({ yaml: 'x'.repeat(14 * 1024 * 1024) });
    expect(await problem(await send(large, 'application/json', authorization))).toMatchObject({ status: 413 });
    // Without a token nothing of it is read.
    expect(await problem(await send(large, 'application/json'))).toMatchObject({ status: 401 });
    const small = {
      method: 'PATCH',
      body: JSON.stringify({ desired: 'x'.repeat(70_000) }),
      headers: { 'content-type': 'application/json', ...authorization },
    };
    expect(await problem(await fetch(`${farm.server.url}/api/v1/machines/m`, small))).toMatchObject({ status: 413 });
  });

  it('a refused run names line and column', async () => {
    const yaml = 'name: x\nbuilds:\n  - name: a\n    sereis: []\n';
    const refused = await problem(await farm.request('submitRun', { body: { yaml } }));
    expect(refused).toMatchObject({ status: 422, code: 'invalid-run', detail: 'line 4: unknown field "sereis"' });
    expect(refused.errors[0]).toMatchObject({ line: 4, column: 5, remedy: 'did you mean "series"?' });
    const alone = await problem(await farm.request('submitRun', { body: { yaml: SAMPLE_RUN } }));
    expect(alone.errors).toEqual([
      expect.objectContaining({ path: 'builds.0', line: 3, message: expect.stringContaining('waits for a builder') }),
      expect.objectContaining({ path: 'machines', message: 'no machine is known yet' }),
    ]);
  });

  it('nothing internal leaves when the database breaks', async () => {
    await farm.sql.run('alter table run rename to run_away');
    const body = await problem(await farm.request('listRuns', {}));
    await farm.sql.run('alter table run_away rename to run');
    expect(body).toMatchObject({ status: 500, code: 'controller-bug' });
    expect(JSON.stringify(body)).not.toMatch(/\brelation\b|select|run_away/);
  });
});

describe('artifacts', () => {
  const content = Buffer.from('some kernel');

  it('come back as they went in, and again', async () => {
    for (let i = 0; i < 2; i += 1) {
      const response = await farm.upload(digest(content), content);
      expect(await response.json()).toEqual({ sha256: digest(content), sizeBytes: content.length });
    }
    const file = join(farm.settings.stateDir, 'artifacts/sha256', digest(content).slice(0, 2), digest(content));
    expect(statSync(file).mode & 0o777).toBe(0o640);
    const back = await farm.request('getArtifact', { params: { sha256: digest(content) } });
    expect(back.headers.get('content-length')).toBe(String(content.length));
    expect(Buffer.from(await back.arrayBuffer())).toEqual(content);
  });

  it('are refused, and leave nothing behind, when the digest differs or they are too large', async () => {
    const wrong = 'a'.repeat(64);
    expect(await problem(await farm.upload(wrong, content))).toMatchObject({ status: 422, code: 'digest-mismatch' });
    expect((await farm.request('getArtifact', { params: { sha256: wrong } })).status).toBe(404);
    const large = Buffer.alloc(10_001);
    const refused = await farm.upload(digest(large), large);
    expect(refused.status).toBe(413);
    expect(readdirSync(join(farm.settings.stateDir, 'artifacts/incoming'))).toEqual([]);
    expect(existsSync(join(farm.settings.stateDir, 'artifacts/sha256/aa'))).toBe(true);
    expect(readdirSync(join(farm.settings.stateDir, 'artifacts/sha256/aa'))).toEqual([]);
  });

  it('have no other names than digests', async () => {
    for (const name of ['..%2f..%2fetc%2fpasswd', 'A'.repeat(64), 'a'.repeat(63)]) {
      const response = await fetch(`${farm.server.url}/api/v1/artifacts/${name}`, {
        headers: { authorization: `Bearer ${farm.userToken}` },
      });
      expect(response.status).toBe(400);
    }
  });

  it('make bundles only once they are here', async () => {
    const { manifest, sizeBytes } = await farm.bundle('known');
    const found = await farm.call('findBundle', { params: { key: manifest.key } });
    expect(found).toMatchObject({ manifest, bundle: { sizeBytes } });
    const missing = await farm.request('registerBundle', { body: { manifest, sha256: 'b'.repeat(64) } });
    expect(await problem(missing)).toMatchObject({ status: 422, code: 'no-artifact' });
    expect((await farm.request('findBundle', { params: { key: 'c'.repeat(64) } })).status).toBe(404);
  });

  it('make no bundle whose manifest breaks the rules for its files', async () => {
    const { manifest, sha256 } = await farm.bundle('ruled');
    const file = { sha256: 'a'.repeat(64), sizeBytes: 1 };
    for (const [files, path] of [
      [{ '../../etc/passwd': file }, 'manifest.files.../../etc/passwd'],
      [{ vmlinuz: { ...file, sizeBytes: 2 ** 40 } }, 'manifest.files.vmlinuz'],
    ] as const) {
      const refused = await farm.request('registerBundle', { body: { manifest: { ...manifest, files }, sha256 } });
      expect(await problem(refused)).toMatchObject({ status: 422, errors: [{ path }] });
    }
  });
});

describe('the web UI', () => {
  it('is served with a fall-back for its own routes, caching by kind, and a content security policy', async () => {
    const webDir = join(farm.settings.stateDir, 'web');
    await mkdir(join(webDir, 'assets'), { recursive: true });
    await writeFile(join(webDir, 'index.html'), '<meta name="live-cursor" content="" /><title>Peerlab</title>');
    await writeFile(join(webDir, 'assets/index-Ab12Cd34.js'), 'export {};');
    const ui = await TestFarm.start({ webDir });
    const page = await fetch(`${ui.server.url}/runs/some-id?tab=log`);
    expect(await page.text()).toMatch(/content="\d+\.\d+\/\d+:\d+:[\d,]*" \/><title>Peerlab</);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(page.headers.get('content-security-policy')).toContain("connect-src 'self';");
    const answers = [await fetch(`${ui.server.url}/api/v1/runs`), await fetch(`${ui.server.url}/api/v1/nothing`)];
    for (const answer of answers) expect(answer.headers.get('cache-control')).toBe('no-store');
    const asset = await fetch(`${ui.server.url}/assets/index-Ab12Cd34.js`);
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect((await fetch(`${ui.server.url}/assets/index-Absent99.js`)).status).toBe(404);
    expect(await (await fetch(`${ui.server.url}/..%2f..%2fetc%2fpasswd`)).text()).not.toContain('root:');
    await ui.stop();
    const bare = await problem(await fetch(`${farm.server.url}/`));
    expect(bare).toMatchObject({ status: 404, code: 'no-web-ui' });
  });
});
