import { createHash } from 'node:crypto';
import { BundleManifest, Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleManifest } from '../testing/samples.js';

let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR' });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const patch = (subject: string): string =>
  `From x Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: [PATCH] ${subject}\n\nWhy.\n---\n--- a/x.c\n+++ b/x.c\n@@ -1 +1,2 @@\n-a\n+b\n+c\n`;
const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;
const problem = async (response: Response) => Problem.parse(await response.json());

/** Submits a run of one build, builds it as a bundle with these patches, and returns the build's id. */
async function builtWith(series: object[], patches: string[], name: string): Promise<string> {
  const yaml = JSON.stringify({ name, builds: [{ name: 'b', series: ['bundled', ...series] }] });
  const { id: runId } = await farm.call('submitRun', { body: { yaml } });
  const build = await agent.take('build');
  const manifest = BundleManifest.parse({
    ...sampleManifest(name),
    series: patches.map((text, index) => ({
      file: `000${index + 1}.patch`,
      subject: `s${index + 1}`,
      sha256: sha256(text),
    })),
  });
  const content = Buffer.from(`bundle of ${name}`);
  await farm.upload(sha256(content.toString()), content);
  const bundle = { sha256: sha256(content.toString()), sizeBytes: content.length };
  await agent.events(build, 0, { type: 'built', manifest, bundle, cached: false }, finished);
  const test = await agent.take('test');
  await agent.events(test, 0, finished);
  const list = await farm.call('listBuilds', {});
  const found = list.find((each) => each.runId === runId);
  if (found === undefined) throw new Error('the build is not listed');
  return found.id;
}

describe('a build', () => {
  it('shows its patches from the artifacts of the agent and from the run itself, and says what is missing', async () => {
    const [stored, carried, lost] = [patch('stored'), patch('carried <b>'), patch('lost')];
    await farm.upload(sha256(stored), Buffer.from(stored));
    const id = await builtWith([{ mbox: carried }], [stored, carried, lost], 'texts');
    const detail = await farm.call('getBuild', { params: { build: id } });
    expect(detail.patches.map(({ content }) => content?.files ?? null)).toEqual([
      [{ path: 'x.c', added: 2, removed: 1 }],
      [{ path: 'x.c', added: 2, removed: 1 }],
      null,
    ]);
    expect(detail.patches[0]?.content?.author).toBe('A <a@example.org>');
    expect(detail.missing).toMatch(/^The text of 1 of 3 patches is not stored: .* Retry the run/);
    expect(detail.sources).toEqual([{ kind: 'bundled' }, { kind: 'mbox', characters: carried.length }]);
    expect(detail.jobs).toEqual([expect.objectContaining({ machine: 'm1', state: 'ended' })]);
    expect(detail.buildAttemptId).toEqual(expect.any(String));
    const text = (number: number) => farm.request('getPatch', { params: { build: id, number } }, null);
    expect(await (await text(1)).json()).toEqual({ number: 1, text: stored });
    expect(await (await text(2)).json()).toEqual({ number: 2, text: carried });
    expect(await problem(await text(3))).toMatchObject({ status: 404, code: 'no-patch-text' });
    expect(await problem(await text(4))).toMatchObject({ status: 404, code: 'not-found' });

    // What an agent has to add, and the whole series once it did.
    const known = await farm.call('findBundle', { params: { key: detail.manifest?.key ?? '' } });
    expect(known.missingPatches.toSorted()).toEqual([sha256(carried), sha256(lost)].toSorted());
    expect((await farm.request('getSeries', { params: { build: id } })).status).toBe(404);
    await farm.upload(sha256(lost), Buffer.from(lost));
    const mbox = await farm.request('getSeries', { params: { build: id } }, null);
    expect(mbox.headers.get('content-type')).toMatch(/^text\/plain/);
    expect((await mbox.text()).match(/^Subject: /gm)).toHaveLength(3);
    expect((await farm.call('getBuild', { params: { build: id } })).missing).toBeNull();
  });

  it('keeps the text of its patches from retention as long as its run is kept', async () => {
    const text = patch('pinned');
    await farm.upload(sha256(text), Buffer.from(text));
    const unused = 'used by nobody';
    await farm.upload(sha256(unused), Buffer.from(unused));
    const id = await builtWith([], [text], 'pinned');
    const { runId } = await farm.call('getBuild', { params: { build: id } });
    await farm.call('pinRun', { params: { run: runId }, body: { pinned: true } });
    await farm.sql.run(`update artifact set created_at = created_at - interval '1000 days'`);
    await farm.sql.run(`update run set ended_at = ended_at - interval '1000 days'`);
    const { removals } = await farm.call('planRetention', {});
    const subjects = removals.map(({ subject }) => subject);
    expect(subjects).toContain(sha256(unused));
    expect(subjects).not.toContain(sha256(text));
  });

  it('that failed shows the patches that the run carries', async () => {
    const yaml = JSON.stringify({
      name: 'failed',
      builds: [{ name: 'b', series: ['bundled', { mbox: patch('mine') }] }],
    });
    const { id: runId } = await farm.call('submitRun', { body: { yaml } });
    const attempt = await agent.take('build');
    const error = { class: 'compile', file: 'mm/hmm.c', line: 3, detail: 'error: boom' } as const;
    const failure = { class: 'build', stage: 'build', message: 'it does not compile', signature: null } as const;
    await agent.events(attempt, 0, { type: 'build-failed', error }, { ...finished, failure });
    const build = (await farm.call('listBuilds', {})).find((each) => each.runId === runId);
    expect(build).toMatchObject({ state: 'failed', manifest: null, bundle: null, error });
    const detail = await farm.call('getBuild', { params: { build: build?.id ?? '' } });
    expect(detail.patches.map(({ subject }) => subject)).toEqual(['mine']);
    expect(detail.missing).toMatch(/^The build failed/);
  });
});

describe('the list of builds', () => {
  it('comes in pages that neither repeat nor leave out, and stays small', async () => {
    const { manifest } = await farm.bundle('paged');
    const builds = Array.from({ length: 7 }, (_, index) => ({ name: `b${index}`, bundle: manifest.key }));
    const yaml = JSON.stringify({ name: 'paged', builds });
    await farm.call('submitRun', { body: { yaml } });
    const all = await farm.call('listBuilds', {});
    const seen: string[] = [];
    for (let before: string | undefined; ; ) {
      const page = await farm.call('listBuilds', { query: { limit: 3, ...(before === undefined ? {} : { before }) } });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 3) break;
      before = page.at(-1)?.cursor;
    }
    expect(seen).toEqual(all.map(({ id }) => id));
    expect(new Set(seen).size).toBe(seen.length);
    expect(all[0]?.manifest).toEqual({
      key: manifest.key,
      release: manifest.release,
      buildId: manifest.buildId,
      config: manifest.config,
      features: manifest.features,
      patches: 0,
    });
  });

  it('is of one kernel with the first digits of its build-id', async () => {
    const { manifest } = await farm.bundle('by-build-id');
    const yaml = JSON.stringify({ name: 'wanted', builds: [{ name: 'wanted', bundle: manifest.key }] });
    const { id } = await farm.call('submitRun', { body: { yaml } });
    const found = await farm.call('listBuilds', { query: { buildId: manifest.buildId.slice(0, 8).toUpperCase() } });
    expect(found.map(({ name, runId }) => [name, runId])).toEqual([['wanted', id]]);
    expect(await farm.call('listBuilds', { query: { buildId: '0000000000' } })).toEqual([]);
    for (const wrong of ['abc', '%abcd', 'a'.repeat(65)]) {
      expect((await farm.request('listBuilds', { query: { buildId: wrong } })).status).toBe(400);
    }
  });
});
