import { createHash } from 'node:crypto';
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Problem, type BundleManifest } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleManifest } from '../testing/samples.js';
import { tarOf } from '../testing/tar.js';
import { ArtifactStore } from './artifact-store.js';

let farm: TestFarm;
let agent: FakeAgent;
let token: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  token = await farm.token('agent', 'lab');
  agent = await farm.agent({ m1: 'BUS_ADDR' });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const CONTENT: Readonly<Record<string, Buffer>> = {
  config: Buffer.from('CONFIG_PCI_P2PDMA=y\n'),
  vmlinuz: Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7) % 256)),
  'suites/p2p-functional': Buffer.from('#!/bin/sh\n'),
  'suites/empty': Buffer.alloc(0),
};
const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;
const problem = async (response: Response) => Problem.parse(await response.json());
const get = (build: string, path: string, by: string | null = farm.userToken) =>
  farm.request('getBuildFile', { params: { build }, query: { path } }, by);

/** A run of a registered bundle with these files in its tar: its build, and where the tar is. */
async function kernel(name: string, content = CONTENT): Promise<{ build: string; sha256: string; tar: string }> {
  const files = Object.fromEntries(
    Object.entries(CONTENT).map(([path, bytes]) => [path, { sha256: digest(bytes), sizeBytes: bytes.length }]),
  );
  const manifest: BundleManifest = { ...sampleManifest(name), files };
  const tar = tarOf([['manifest.json', JSON.stringify(manifest)], ['unlisted', 'x'], ...Object.entries(content)]);
  const sha256 = digest(tar);
  await farm.upload(sha256, tar);
  const { key } = await farm.call('registerBundle', { body: { manifest, sha256 } });
  const { id } = await farm.call('submitRun', {
    body: { yaml: `name: ${name}\nbuilds: [{name: b, bundle: ${key}}]\n` },
  });
  const { jobViews } = await farm.call('getRun', { params: { run: id } });
  return { build: jobViews[0]?.buildId ?? '', sha256, tar: farm.server.app.get(ArtifactStore).pathOf(sha256) };
}

/** Ends the test of the newest run, so that the machine is free for the next one. */
const endTest = async (): Promise<void> => agent.events(await agent.take('test'), 0, finished);

describe('a file of a kernel', () => {
  it('is served byte for byte, and to nobody who may not read its bundle', async () => {
    const { build } = await kernel('served');
    const test = await agent.take('test');
    for (const [path, bytes] of Object.entries(CONTENT)) {
      const answer = await get(build, path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-length')).toBe(String(bytes.length));
      expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${path.split('/').at(-1)}"`);
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
    }
    // An agent reads the kernel of its test, and no other one; nor is it told whether the other one exists.
    const idle = await farm.token('agent', 'idle');
    expect((await get(build, 'config', token)).status).toBe(200);
    for (const path of ['config', 'missing']) {
      expect(await problem(await get(build, path, idle))).toMatchObject({ status: 403, code: 'not-your-work' });
    }
    expect((await get('00000000-0000-4000-8000-000000000000', 'config', idle)).status).toBe(403);
    expect((await get(build, 'config', null)).status).toBe(401);
    await agent.events(test, 0, finished);
    expect((await get(build, 'config', token)).status).toBe(403);
  });

  it('is one that the manifest lists', async () => {
    const { build } = await kernel('listed');
    await endTest();
    const wrong = ['unlisted', 'manifest.json', '../config', './config', '/etc/passwd', 'suites', 'constructor'];
    for (const path of wrong) {
      expect(await problem(await get(build, path))).toMatchObject({ status: 404, code: 'not-found' });
    }
    expect((await get(build, 'x'.repeat(201))).status).toBe(400);
    expect((await get('00000000-0000-4000-8000-000000000000', 'config')).status).toBe(404);
  });

  it('is withheld with the reason when the stored bundle is not what its manifest says', async () => {
    const evil = { ...CONTENT, config: Buffer.from('CONFIG_PCI_P2PDMA=n\n'), vmlinuz: Buffer.from('short') };
    const lying = await kernel('lying', evil);
    await endTest();
    const detail = async (build: string, path: string) => {
      const found = await problem(await get(build, path));
      expect(found).toMatchObject({ status: 500, code: 'bundle-damaged' });
      return found.detail;
    };
    expect(await detail(lying.build, 'config')).toMatch(/^config does not have the digest of its manifest; restore/);
    expect(await detail(lying.build, 'vmlinuz')).toMatch(/^vmlinuz has 5 bytes, but its manifest says 200000/);
    expect((await get(lying.build, 'suites/p2p-functional')).status).toBe(200);

    const broken = await kernel('broken');
    await endTest();
    truncateSync(broken.tar, 100_000);
    expect(await detail(broken.build, 'vmlinuz')).toContain('the tar ends in the middle of vmlinuz');
    writeFileSync(broken.tar, 'no tar');
    expect(await detail(broken.build, 'config')).toContain('the tar has no file config');
    writeFileSync(broken.tar, 'x'.repeat(2000));
    expect(await detail(broken.build, 'config')).toContain('no valid tar entry at byte 0');
    // Unpacking would let the second one replace the first.
    writeFileSync(broken.tar, tarOf([['config', CONTENT['config'] ?? '']]).subarray(0, 1024));
    appendFileSync(broken.tar, tarOf([['./config', 'y']]));
    expect(await detail(broken.build, 'config')).toContain('the tar has config twice');
  });

  it('that retention removed is said to be removed', async () => {
    const { build, sha256 } = await kernel('gone');
    await endTest();
    await farm.sql.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [sha256]);
    expect(await problem(await get(build, 'config'))).toMatchObject({ status: 410, code: 'bundle-removed' });
  });
});
