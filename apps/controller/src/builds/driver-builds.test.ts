import { createHash } from 'node:crypto';
import { type Assignment, BundleManifest, type DriverBuild } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { midRemoval } from '../testing/mid-removal.js';
import { sampleManifest } from '../testing/samples.js';

const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;
const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const ARCHIVE = Buffer.from('modules of a driver');
const TOY: DriverBuild = {
  name: 'toy',
  version: '1.0',
  modules: ['toy'],
  key: 'ab'.repeat(32),
  error: null,
  archive: { sha256: digest(ARCHIVE), sizeBytes: ARCHIVE.length },
};
const BROKEN: DriverBuild = { ...TOY, name: 'broken', archive: null, error: 'broken.c:7: no such function' };

let farm: TestFarm;
let agent: FakeAgent;
let token: string;

beforeEach(async () => {
  farm = await TestFarm.start();
  token = await farm.token('agent', 'lab');
  agent = await farm.agent({ m1: 'BUS_ADDR' });
});
afterEach(() => farm.stop());

const download = (sha256: string, by: string) => farm.request('getArtifact', { params: { sha256 } }, by);
const driversOf = ({ work }: Assignment): unknown => (work.kind === 'test' ? work.drivers : 'no test');

/** A run of one build; its builder tells these drivers. */
async function build(name: string, drivers: DriverBuild[]): Promise<{ runId: string; key: string; bundle: string }> {
  const yaml = JSON.stringify({ name, builds: [{ name: 'b', series: ['bundled'] }] });
  const { id: runId } = await farm.call('submitRun', { body: { yaml } });
  const work = await agent.take('build');
  const content = Buffer.from(`bundle of ${name}`);
  await farm.upload(digest(content), content, token);
  const manifest = BundleManifest.parse(sampleManifest(name));
  const bundle = { sha256: digest(content), sizeBytes: content.length };
  await agent.events(work, 0, { type: 'built', manifest, bundle, cached: false, drivers }, finished);
  return { runId, key: manifest.key, bundle: bundle.sha256 };
}

describe('a driver that was built against a kernel', () => {
  it('goes to the tests of that kernel, and to nobody else', async () => {
    await farm.upload(digest(ARCHIVE), ARCHIVE);
    const { runId } = await build('first', [TOY, BROKEN]);
    const [listed] = await farm.call('listBuilds', {});
    expect((await farm.call('getBuild', { params: { build: listed?.id ?? '' } })).drivers).toEqual([TOY, BROKEN]);
    const idle = await farm.token('agent', 'idle');
    const test = await agent.take('test');
    expect(test.runId).toBe(runId);
    expect(driversOf(test)).toEqual([TOY, BROKEN]);
    expect((await download(digest(ARCHIVE), token)).status).toBe(200);
    expect((await download(digest(ARCHIVE), idle)).status).toBe(403);
    await agent.events(test, 0, finished);
    expect((await download(digest(ARCHIVE), token)).status).toBe(403);
  });

  it('goes to later runs that name the bundle, as long as its archive is kept', async () => {
    await farm.upload(digest(ARCHIVE), ARCHIVE);
    const { key } = await build('first', [TOY]);
    await agent.events(await agent.take('test'), 0, finished);
    const again = async (name: string): Promise<unknown> => {
      await farm.call('submitRun', { body: { yaml: JSON.stringify({ name, builds: [{ name: 'b', bundle: key }] }) } });
      const test = await agent.take('test');
      await agent.events(test, 0, finished);
      return driversOf(test);
    };
    expect(await again('second')).toEqual([TOY]);
    await farm.sql.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [digest(ARCHIVE)]);
    expect(await again('third')).toBeUndefined();
  });

  it('does not go to a run that comes while retention removes its archive', async () => {
    await farm.upload(digest(ARCHIVE), ARCHIVE);
    const { key } = await build('first', [TOY]);
    await agent.events(await agent.take('test'), 0, finished);
    const yaml = JSON.stringify({ name: 'second', builds: [{ name: 'b', bundle: key }] });
    await midRemoval(farm, digest(ARCHIVE), () => farm.call('submitRun', { body: { yaml } }));
    expect(driversOf(await agent.take('test'))).toBeUndefined();
  });

  it('is kept as long as a run that may need it, and no longer', async () => {
    await farm.upload(digest(ARCHIVE), ARCHIVE);
    const { runId } = await build('first', [TOY]);
    await agent.events(await agent.take('test'), 0, finished);
    await farm.sql.run(`update artifact set created_at = created_at - interval '1000 days'`);
    await farm.sql.run(`update run set ended_at = ended_at - interval '1000 days'`);
    const removals = async () => (await farm.call('planRetention', {})).removals;
    const removed = async (): Promise<string[]> => (await removals()).map(({ subject }) => subject);
    expect(await removals()).toContainEqual(expect.objectContaining({ subject: digest(ARCHIVE), name: 'driver toy' }));
    await farm.call('pinRun', { params: { run: runId }, body: { pinned: true } });
    expect(await removed()).not.toContain(digest(ARCHIVE));
  });

  it('whose archive was not uploaded is not believed; the kernel is as good', async () => {
    const other = Buffer.from('modules of another');
    await farm.upload(digest(other), other);
    const odd = { ...TOY, name: 'odd', archive: { sha256: digest(other), sizeBytes: 1 } };
    await build('first', [TOY, odd]);
    expect(driversOf(await agent.take('test'))).toEqual([
      { ...TOY, archive: null, error: 'it was built, but its archive was not uploaded' },
      { ...odd, archive: null, error: `its archive has ${other.length} bytes, but its agent reported 1` },
    ]);
  });

  it('is not lost to later runs by a build of a day on which it could not be built', async () => {
    await farm.upload(digest(ARCHIVE), ARCHIVE);
    const { key } = await build('kernel', [TOY]);
    await agent.events(await agent.take('test'), 0, finished);
    const failed = { ...TOY, archive: null, error: 'it could not be built this time' };
    expect((await build('kernel', [failed])).key).toBe(key);
    await agent.events(await agent.take('test'), 0, finished);
    const yaml = JSON.stringify({ name: 'later', builds: [{ name: 'b', bundle: key }] });
    await farm.call('submitRun', { body: { yaml } });
    expect(driversOf(await agent.take('test'))).toEqual([TOY]);
  });

  it('needs the kernel: whoever has a build may read those that the farm built, but none that was registered', async () => {
    const { bundle } = await build('first', []);
    await agent.events(await agent.take('test'), 0, finished);
    const registered = await farm.bundle('theirs');
    expect((await download(bundle, token)).status).toBe(403);
    await farm.call('submitRun', { body: { yaml: 'name: r\nbuilds: [{name: b, series: [bundled]}]\n' } });
    await agent.take('build');
    expect((await download(bundle, token)).status).toBe(200);
    expect((await download(registered.sha256, token)).status).toBe(403);
  });
});
