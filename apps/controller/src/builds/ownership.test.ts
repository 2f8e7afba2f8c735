import { createHash } from 'node:crypto';
import { Problem, type AttemptEvent, type BundleManifest } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleManifest, SAMPLE_RUN } from '../testing/samples.js';
import { tarOf } from '../testing/tar.js';

let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());
beforeEach(async () => {
  await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state in ('queued', 'blocked')`);
  await farm.sql.run(`update machine set desired = 'active'`);
  agent = await farm.agent({ m1: 'BUS_ADDR' });
  return () => agent.vanish();
});

const problem = async (response: Response) => Problem.parse(await response.json());
const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;

interface Packed {
  manifest: BundleManifest;
  sha256: string;
  sizeBytes: number;
}

/** An uploaded bundle, not registered yet; `salt` gives other bytes under the same key. */
async function packed(name: string, salt = '', more: Partial<BundleManifest> = {}): Promise<Packed> {
  const manifest = { ...sampleManifest(name), ...more };
  const content = tarOf([
    ['manifest.json', JSON.stringify(manifest)],
    ['vmlinuz', `kernel ${salt}`],
  ]);
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect((await farm.upload(sha256, content)).status).toBe(200);
  return { manifest, sha256, sizeBytes: content.length };
}

const register = ({ manifest, sha256 }: Packed) => farm.request('registerBundle', { body: { manifest, sha256 } });
const keyOf = async (response: Response): Promise<string> => ((await response.json()) as { key: string }).key;
const built = ({ manifest, sha256, sizeBytes }: Packed): AttemptEvent => ({
  type: 'built',
  manifest,
  bundle: { sha256, sizeBytes },
  cached: false,
});

/** Submits a run of one build and ends the attempt that builds it with these events. */
async function build(
  ...events: AttemptEvent[]
): Promise<{ state: string; key: string | null; message: string | null }> {
  const run = await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
  const attempt = await agent.take('build');
  await agent.events(attempt, 0, ...events, finished);
  const detail = await farm.call('getAttempt', { params: { attempt: attempt.participantId } });
  const list = await farm.call('listBuilds', {});
  const row = list.find(({ runId }) => runId === run.id);
  await farm.call('cancelRun', { params: { run: run.id } });
  return { state: row?.state ?? '', key: row?.manifest?.key ?? null, message: detail.failure?.message ?? null };
}

const stored = (key: string) =>
  farm.sql.one<{ sha256: string; build_id: string; origin: string }>(
    `select sha256, manifest ->> 'buildId' as build_id, origin from bundle where key = $1`,
    [key],
  );

describe('a bundle registered by hand', () => {
  it('stays: the same bytes again change nothing, others under its key are refused', async () => {
    const first = await packed('mine');
    const key = await keyOf(await register(first));
    const before = await stored(key);
    expect(await keyOf(await register(first))).toBe(key);
    const other = await packed('mine', 'other', { buildId: 'ff'.repeat(20) });
    const refused = await problem(await register(other));
    expect(refused).toMatchObject({ status: 409, code: 'bundle-exists' });
    expect(refused.title).toContain(first.manifest.key);
    expect(refused.detail).toMatch(/never replaced.*new key into manifest\.json/);
    expect(await stored(key)).toEqual(before);
  });

  it('stays when retention removed its file', async () => {
    const first = await packed('kept');
    const key = await keyOf(await register(first));
    await farm.sql.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [first.sha256]);
    expect(await problem(await register(await packed('kept', 'other')))).toMatchObject({ status: 409 });
    await packed('kept');
    expect(await keyOf(await register(first))).toBe(key);
  });

  it('has the manifest that is in its tar', async () => {
    const { manifest, sha256 } = await packed('true');
    const lie = { ...manifest, buildId: 'ee'.repeat(20) };
    expect(await problem(await register({ manifest: lie, sha256, sizeBytes: 0 }))).toMatchObject({
      status: 422,
      code: 'bad-bundle',
      detail: expect.stringContaining('is not the manifest.json in the tar'),
    });
    const noTar = Buffer.from('no tar at all');
    const digest = createHash('sha256').update(noTar).digest('hex');
    await farm.upload(digest, noTar);
    expect(await problem(await register({ manifest, sha256: digest, sizeBytes: 0 }))).toMatchObject({
      code: 'bad-bundle',
    });
  });

  it('is not found as the result of a build of that key, nor replaced by it', async () => {
    const mine = await packed('shared', 'by hand');
    const key = await keyOf(await register(mine));
    const token = await farm.token('agent', 'lab');
    const run = await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
    const attempt = await agent.take('build');
    for (const asked of [key, mine.manifest.key]) {
      expect((await farm.request('findBundle', { params: { key: asked } }, token)).status).toBe(404);
    }
    const theirs = await packed('shared', 'by the farm');
    await agent.events(attempt, 0, built(theirs), finished);
    await farm.call('cancelRun', { params: { run: run.id } });
    expect(await stored(key)).toMatchObject({ sha256: mine.sha256, origin: 'upload' });
    expect(await stored(mine.manifest.key)).toMatchObject({ sha256: theirs.sha256, origin: 'build' });
  });

  it('of an earlier version makes way for a build of its key, and its runs keep it', async () => {
    const old = await packed('legacy', 'old');
    await farm.sql.run('insert into bundle (key, sha256, manifest) values ($1, $2, $3)', [
      old.manifest.key,
      old.sha256,
      JSON.stringify(old.manifest),
    ]);
    const yaml = `name: r\nbuilds: [{name: b, bundle: ${old.manifest.key}}]\n`;
    const run = await farm.call('submitRun', { body: { yaml } });
    await farm.call('cancelRun', { params: { run: run.id } });
    const fresh = await packed('legacy', 'new');
    expect(await build(built(fresh))).toMatchObject({ state: 'ready', key: old.manifest.key });
    expect(await stored(old.manifest.key)).toMatchObject({ sha256: fresh.sha256 });
    const list = await farm.call('listBuilds', {});
    expect(list.find(({ runId }) => runId === run.id)?.bundle?.sha256).toBe(old.sha256);
  });
});

describe('a bundle made by a build', () => {
  it('stays: of two builds of one key the first one wins', async () => {
    const first = await packed('twice', '1');
    await build(built(first));
    const second = await packed('twice', '2', { buildId: 'dd'.repeat(20) });
    expect(await build(built(second))).toMatchObject({ state: 'ready', key: first.manifest.key });
    expect(await stored(first.manifest.key)).toMatchObject({
      sha256: first.sha256,
      build_id: first.manifest.buildId,
    });
  });

  it('is made again after retention removed its file', async () => {
    const first = await packed('again', '1');
    await build(built(first));
    await farm.sql.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [first.sha256]);
    const second = await packed('again', '2');
    await build(built(second));
    expect(await stored(first.manifest.key)).toMatchObject({ sha256: second.sha256, origin: 'build' });
  });

  it('has the size that its agent says, and is stored', async () => {
    const one = await packed('sizes');
    const wrong = await build(built({ ...one, sizeBytes: one.sizeBytes + 1 }));
    expect(wrong).toMatchObject({ key: null, message: expect.stringContaining('its agent reported') });
    const absent = await build(built({ ...one, sha256: 'a'.repeat(64) }));
    expect(absent.message).toBe('the build succeeded, but its bundle was not uploaded');
    expect(await stored(one.manifest.key)).toBeNull();
  });

  it('is the first one that its attempt reports', async () => {
    const [first, second] = [await packed('event-1'), await packed('event-2')];
    expect(await build(built(first), built(second))).toMatchObject({ key: first.manifest.key });
    expect(await stored(second.manifest.key)).toBeNull();
  });

  it('is not replaced by the agent of a test, nor is its build failed by it', async () => {
    const { manifest } = await farm.bundle('tested');
    const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    const run = await farm.call('submitRun', { body: { yaml } });
    const test = await agent.take('test');
    const other = await packed('from-a-test');
    const error = { class: 'compile', detail: 'forged' } as const;
    await agent.events(test, 0, built(other), { type: 'build-failed', error }, finished);
    const row = (await farm.call('listBuilds', {})).find(({ runId }) => runId === run.id);
    expect(row).toMatchObject({ state: 'ready', error: null, manifest: { key: manifest.key } });
    expect(await stored(other.manifest.key)).toBeNull();
  });
});
