import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';

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

const testWork = async () => {
  const assignment = await agent.take('test');
  if (assignment.work.kind !== 'test') throw new Error('no test');
  return { ...assignment, work: assignment.work };
};
const download = (token: string, sha256: string) =>
  fetch(`${farm.server.url}/api/v1/artifacts/${sha256}`, { headers: { authorization: `Bearer ${token}` } });

it('a suite of a run reaches the machine with all that it brings, and its results are rows of their own', async () => {
  const content = Buffer.from('data of a suite');
  const sha256 = createHash('sha256').update(content).digest('hex');
  const { manifest } = await farm.bundle('own');
  const yaml = `name: own
builds: [{name: b, bundle: ${manifest.key}}]
suites:
  - p2p-perf
  - name: mine
    script: |
      echo "$SIZE"
    files: [{name: data.bin, artifact: ${sha256}}]
    matrix: {SIZE: [4k, 1M]}
    parameters: {LOOPS: 3}
    limitSeconds: 90
    needs: {modules: [nvme]}
`;
  const refused = await farm.call('checkRun', { body: { yaml } });
  expect(refused.problems).toMatchObject([{ path: 'suites.1.files.0.artifact', line: 8 }]);
  await farm.upload(sha256, content);
  const token = await farm.token('agent', 'stranger');
  const run = await farm.call('submitRun', { body: { yaml } });
  const { work, participantId, attemptId, fence } = await testWork();
  expect(work.suites.map(({ name }) => name)).toEqual(['p2p-perf', 'mine[SIZE=4k]', 'mine[SIZE=1M]']);
  expect(work.suites[0]?.own).toBeUndefined();
  expect(work.suites[2]).toMatchObject({
    timeoutSeconds: 90,
    own: {
      dialect: 'exit-code',
      script: 'echo "$SIZE"\n',
      files: [{ name: 'data.bin', artifact: sha256 }],
      needs: { modules: ['nvme'] },
      parameters: { LOOPS: '3', SIZE: '1M' },
    },
  });
  expect((await download(token, sha256)).status).toBe(403);
  expect(await (await download(await farm.token('agent', 'lab'), sha256)).text()).toBe('data of a suite');

  const grid = () => farm.call('getGrid', { query: { run: run.id } });
  expect((await grid()).rows.map(({ suite, test }) => `${suite} ${test}`)).toEqual([
    'p2p-perf P01',
    'mine[SIZE=4k] (suite)',
    'mine[SIZE=1M] (suite)',
  ]);
  const left = Buffer.from('<script>left</script>');
  const digest = createHash('sha256').update(left).digest('hex');
  const own = await farm.token('agent', 'lab');
  expect((await farm.upload(digest, left, token)).status).toBe(403);
  expect((await farm.upload(digest, left, own)).status).toBe(200);
  const file = { suite: 'mine[SIZE=1M]', role: 'main', name: 'page.html', sha256: digest, sizeBytes: left.length };
  await agent.events(
    { participantId, fence },
    0,
    { type: 'file', file },
    { type: 'file', file: { ...file, name: 'not-stored', sha256: 'f'.repeat(64) } },
    {
      type: 'result',
      result: sampleResult('mine[SIZE=1M]', 'whole suite', { status: 'fail', reason: 'it exited with 3' }),
    },
    { type: 'finished', failure: null, restored: true, lineCounts: {} },
  );
  expect((await grid()).rows).toEqual([
    { suite: 'p2p-perf', test: 'P01', verdicts: 'N' },
    { suite: 'mine[SIZE=4k]', test: '(suite)', verdicts: 'N' },
    { suite: 'mine[SIZE=1M]', test: 'whole suite', verdicts: 'F' },
  ]);
  expect((await farm.call('getAttempt', { params: { attempt: attemptId } })).files).toEqual([
    { ...file, role: 'main' },
  ]);
  const open = (name: string) =>
    farm.request('getAttemptFile', { params: { attempt: attemptId }, query: { suite: file.suite, name } });
  const page = await open('page.html');
  expect(await page.text()).toBe('<script>left</script>');
  expect(page.headers.get('content-type')).toBe('application/octet-stream');
  expect(page.headers.get('content-disposition')).toBe('attachment; filename="page.html"');
  expect((await open('not-stored')).status).toBe(404);
  const detail = await farm.call('getRun', { params: { run: run.id } });
  expect(detail).toMatchObject({
    verdict: 'fail',
    yaml,
    spec: { suites: ['p2p-perf', 'mine[SIZE=4k]', 'mine[SIZE=1M]'] },
  });
  const again = await farm.call('retryRun', { params: { run: run.id }, body: {} });
  expect((await testWork()).work.suites).toHaveLength(3);
  await farm.call('cancelRun', { params: { run: again.id } });
  const uses = await farm.sql.rows<{ count: number }>(
    `select count(*)::int from run where spec -> 'ownSuites' -> 0 -> 'files' -> 0 ->> 'artifact' = $1`,
    [sha256],
  );
  expect(uses[0]?.count).toBe(2);
});

it('a kernel is built with the selftests that suites of its run name', async () => {
  const yaml = `name: selftests
builds: [{name: base, series: []}, {name: other, series: [], suites: [p2p-perf]}]
suites: [p2p-perf, {name: timers, kselftest: timers}]
`;
  const run = await farm.call('submitRun', { body: { yaml } });
  const { work } = await agent.take('build');
  expect(work).toMatchObject({ kind: 'build', buildName: 'base', kselftests: ['timers'] });
  const { spec } = await farm.call('getRun', { params: { run: run.id } });
  expect(spec.builds.map(({ kselftests }) => kselftests)).toEqual([['timers'], undefined]);
});
