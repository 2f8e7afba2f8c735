import { createHash } from 'node:crypto';
import { FARM_SUITE, LINE_COUNTS_FILE, Problem, type BundleManifest, type LineCounts } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleManifest, sampleResult } from '../testing/samples.js';
import { tarOf } from '../testing/tar.js';

let farm: TestFarm;
let agent: FakeAgent;
let token: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  token = await farm.token('agent', 'lab');
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'THRU_HOST_BRIDGE' });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

const DIFF = `--- a/mm/hmm.c
+++ b/mm/hmm.c
@@ -10,2 +10,5 @@ int walk(void)
 {
-	return 0;
+	if (x)
+		return 1;
+	/* why */
+	return 2;
--- /dev/null
+++ b/mm/other.c
@@ -0,0 +1,2 @@
+int other;
+int more;
`;
const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** Runs a bundle with these files on both machines. */
async function runOf(name: string, content: Readonly<Record<string, string>>) {
  const files = Object.fromEntries(
    Object.entries(content).map(([path, text]) => [path, { sha256: digest(text), sizeBytes: text.length }]),
  );
  const manifest: BundleManifest = { ...sampleManifest(name), files };
  const tar = tarOf([['manifest.json', JSON.stringify(manifest)], ...Object.entries(content)]);
  const sha256 = digest(tar);
  await farm.upload(sha256, tar);
  const { key } = await farm.call('registerBundle', { body: { manifest, sha256 } });
  const { id } = await farm.call('submitRun', {
    body: { yaml: `name: ${name}\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [p2p-perf]\n` },
  });
  const { jobViews } = await farm.call('getRun', { params: { run: id } });
  return { manifest, run: id, build: jobViews[0]?.buildId ?? '' };
}

const MEASURED = { name: 'map', unit: 'ns/page', better: 'lower' as const, samples: [1, 2, 3], params: {} };

/** Ends the next test: what it counted, or `text` in the place of that. */
async function endTest(
  { buildId, release }: BundleManifest,
  counts: LineCounts['files'] | string | null,
  { proven = true } = {},
): Promise<string> {
  const test = await agent.take('test');
  const content = Buffer.from(typeof counts === 'string' ? counts : JSON.stringify({ schema: 1, files: counts }));
  if (counts !== null) expect((await farm.upload(digest(content), content, token)).status).toBe(200);
  const sighting = { release, buildId, bootId: 'b', nonce: 'n'.repeat(32), proven, detail: null, commandLine: null };
  const file = { suite: FARM_SUITE, name: LINE_COUNTS_FILE, sha256: digest(content), sizeBytes: content.length };
  await agent.events(
    test,
    0,
    { type: 'kernel', sighting: { phase: 'candidate', ...sighting } },
    { type: 'result', result: sampleResult('p2p-perf', 'P01') },
    { type: 'measurement', suite: 'p2p-perf', test: 'P01', metric: MEASURED },
    ...(counts === null ? [] : [{ type: 'file' as const, file }]),
    { type: 'finished', failure: null, restored: true, lineCounts: {} },
  );
  return test.attemptId;
}
const coverage = (build: string) => farm.call('getBuildCoverage', { params: { build } });

it('adds up the lines that the attempts of a build ran, and lays them over the diff of the series', async () => {
  const { manifest, build, run } = await runOf('counts', { 'series.diff': DIFF, 'gcov-notes.tar': 'notes' });
  expect(await coverage(build)).toMatchObject({ files: [], attempts: [], without: [], totals: { code: 0 } });
  const first = await endTest(manifest, [{ path: 'mm/hmm.c', ran: [11], missed: [12, 14] }]);
  const second = await endTest(manifest, [{ path: 'mm/hmm.c', ran: [11, 14], missed: [12] }]);
  const { files, totals, attempts, without, isCut } = await coverage(build);
  expect(totals).toEqual({ added: 4, code: 3, ran: 2, notBuilt: 2 });
  expect(files.map(({ path, isBuilt }) => [path, isBuilt])).toEqual([
    ['mm/hmm.c', true],
    ['mm/other.c', false],
  ]);
  expect(files[0]?.hunks[0]?.lines.map(({ kind, ran }) => [kind, ran])).toEqual([
    [' ', undefined],
    ['-', undefined],
    ['+', 2],
    ['+', 0],
    ['+', undefined],
    ['+', 1],
  ]);
  expect(attempts.map(({ attemptId, code, ran }) => [attemptId, code, ran])).toEqual([
    [second, 3, 2],
    [first, 3, 1],
  ]);
  expect([without, isCut]).toEqual([[], false]);
  // What a kernel that counts measures about itself is no measurement of that kernel.
  expect((await farm.call('getGrid', { query: { run } })).metrics).toEqual([]);
});

it('counts nothing of a kernel that was not proven to run, and nothing that cannot be read', async () => {
  const { manifest, build } = await runOf('doubtful', { 'series.diff': DIFF, 'gcov-notes.tar': 'notes' });
  const unproven = await endTest(manifest, [{ path: 'mm/hmm.c', ran: [11, 12, 14], missed: [] }], { proven: false });
  const broken = await endTest(manifest, '{"schema":1,"files":[{"path":"mm/hmm.c","ran":[-1],"missed":[]}]}');
  const { files, attempts, without } = await coverage(build);
  expect([files, attempts]).toEqual([[], []]);
  expect(Object.fromEntries(without.map(({ attemptId, why }) => [attemptId, why]))).toEqual({
    [unproven]: 'this kernel was not proven to run',
    [broken]: 'its coverage.json cannot be read',
  });
});

it('says of which attempt the counters were not read', async () => {
  const { manifest, build } = await runOf('silent', { 'series.diff': DIFF, 'gcov-notes.tar': 'notes' });
  await endTest(manifest, null);
  await endTest(manifest, [{ path: 'mm/hmm.c', ran: [], missed: [11] }]);
  const { attempts, without, totals } = await coverage(build);
  expect([attempts.length, totals]).toEqual([1, { added: 4, code: 1, ran: 0, notBuilt: 2 }]);
  expect(without.map(({ why }) => why)).toEqual(['it did not bring in what it found; its log says why']);
});

it('has nothing to say of a kernel that does not count, and keeps what that one measures', async () => {
  const { manifest, build, run } = await runOf('plain', { config: 'CONFIG_X=y' });
  await endTest(manifest, null);
  await endTest(manifest, null);
  const answer = await farm.request('getBuildCoverage', { params: { build } });
  expect(answer.status).toBe(404);
  expect(Problem.parse(await answer.json()).detail).toContain('config: coverage');
  expect((await farm.call('getGrid', { query: { run } })).metrics).toHaveLength(1);
});
