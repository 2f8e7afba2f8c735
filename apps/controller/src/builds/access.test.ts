import { createHash } from 'node:crypto';
import { Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_RUN } from '../testing/samples.js';

const DAY_BYTES = 50_000;

let farm: TestFarm;
let agent: FakeAgent;
let token: string;
let idle: string;
beforeAll(async () => {
  farm = await TestFarm.start({ uploadDayBytes: DAY_BYTES });
  token = await farm.token('agent', 'lab');
  idle = await farm.token('agent', 'idle');
  const other = await farm.agent({}, { name: 'idle', capabilities: ['test'] });
  return () => other.vanish();
});
afterAll(() => farm.stop());
beforeEach(async () => {
  await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state in ('queued', 'blocked')`);
  agent = await farm.agent({ m1: 'BUS_ADDR' });
  return () => agent.vanish();
});

const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;
const problem = async (response: Response) => Problem.parse(await response.json());
const download = (sha256: string, by: string) => farm.request('getArtifact', { params: { sha256 } }, by);
const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

describe('an agent', () => {
  it('downloads the bundle of its test while it has the test, and no other one', async () => {
    const [mine, other] = [await farm.bundle('mine'), await farm.bundle('other')];
    expect(await problem(await download(mine.sha256, token))).toMatchObject({ status: 403, code: 'not-your-work' });
    await farm.call('submitRun', { body: { yaml: `name: r\nbuilds: [{name: b, bundle: ${mine.manifest.key}}]\n` } });
    const test = await agent.take('test');
    expect((await download(mine.sha256, token)).status).toBe(200);
    expect((await download(other.sha256, token)).status).toBe(403);
    expect((await download(mine.sha256, idle)).status).toBe(403);
    await agent.events(test, 0, finished);
    expect((await download(mine.sha256, token)).status).toBe(403);
    // What is not stored is refused alike; a user reads all.
    expect((await download('0'.repeat(64), token)).status).toBe(403);
    expect((await download(mine.sha256, farm.userToken)).status).toBe(200);
  });

  it('downloads the series of its build, uploads and asks for bundles, while it has the build', async () => {
    const series = Buffer.from('From x\nSubject: y\n');
    await farm.upload(digest(series), series);
    const content = Buffer.from('what was built');
    expect(await problem(await farm.upload(digest(content), content, token))).toMatchObject({
      status: 403,
      code: 'no-open-build',
    });
    const yaml = `name: r\nbuilds: [{name: b, series: [{artifact: ${digest(series)}}]}]\n`;
    await farm.call('submitRun', { body: { yaml } });
    const build = await agent.take('build');
    expect((await download(digest(series), token)).status).toBe(200);
    expect((await download(digest(series), idle)).status).toBe(403);
    expect((await farm.upload(digest(content), content, token)).status).toBe(200);
    expect((await farm.upload(digest(content), content, idle)).status).toBe(403);
    // It has no reason to read back what it stored.
    expect((await download(digest(content), token)).status).toBe(403);
    const failure = { class: 'build', stage: 'build', message: 'no', signature: null } as const;
    await agent.events(build, 0, { ...finished, failure });
    expect((await farm.upload(digest(content), content, token)).status).toBe(403);
  });

  it('does not use the work of a lease that it lost', async () => {
    const { manifest, sha256 } = await farm.bundle('lost');
    await farm.call('submitRun', { body: { yaml: `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
    await agent.take('test');
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    expect((await download(sha256, token)).status).toBe(403);
  });
});

describe('uploads of one caller', () => {
  it('have a limit by the day, which others do not fill', async () => {
    const content = Buffer.alloc(DAY_BYTES - 10, 'x');
    const user = await farm.token('user', 'busy');
    expect((await farm.upload(digest(content), content, user)).status).toBe(200);
    const more = Buffer.alloc(11, 'y');
    const refused = await problem(await farm.upload(digest(more), more, user));
    expect(refused).toMatchObject({ status: 429, code: 'upload-limit' });
    expect(refused.detail).toContain('PEERLAB_UPLOAD_DAY_BYTES');
    await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
    await agent.take('build');
    expect((await farm.upload(digest(more), more, token)).status).toBe(200);
    await farm.sql.run(`update artifact set created_at = created_at - interval '25 hours'`);
    const next = Buffer.alloc(11, 'z');
    expect((await farm.upload(digest(next), next, user)).status).toBe(200);
  });
});

describe('an upload of another content type', () => {
  const content = Buffer.alloc(100_000, 'z');
  const upload = (contentType: string | null) =>
    fetch(`${farm.server.url}/api/v1/artifacts/${digest(content)}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${farm.userToken}`,
        ...(contentType === null ? {} : { 'content-type': contentType }),
      },
      body: new Uint8Array(content),
    });

  // The first is what curl sends with --data-binary, the second with -T.
  it.each(['application/x-www-form-urlencoded', null, 'application/json', 'text/plain'])(
    '%s is refused before it is read, with the type to send',
    async (type) => {
      const answer = await upload(type);
      expect(await problem(answer)).toMatchObject({
        status: 415,
        code: 'unsupported-media-type',
        title: expect.stringContaining('application/octet-stream'),
      });
      expect((await farm.request('getArtifact', { params: { sha256: digest(content) } })).status).toBe(404);
    },
  );

  it('octet-stream may have parameters', async () => {
    const small = Buffer.from('a patch');
    const answer = await fetch(`${farm.server.url}/api/v1/artifacts/${digest(small)}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${farm.userToken}`,
        'content-type': 'application/octet-stream; charset=binary',
      },
      body: new Uint8Array(small),
    });
    expect(answer.status).toBe(200);
  });
});
