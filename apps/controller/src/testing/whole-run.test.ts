import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from './farm.js';
import { SAMPLE_RUN, sampleManifest, sampleResult } from './samples.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const proof = {
  test: 'F01',
  expected: 'peer',
  taken: 'BUS_ADDR',
  detail: {
    'alias pages': 4,
    'RAM pages': 0,
    'dma_alias calls': 4,
    'pages migrated back': 0,
    'bytes compared': 16384,
    'oracle reads': 1,
  },
} as const;

/** The raw log of the test stream. */
const TEST_LOG = 'KTAP version 1\nok 1 F01\n# end\n';

it('drives a run from submission over build and test to its verdict', async () => {
  const agent = await farm.agent({ 'v-switch': 'BUS_ADDR' });
  const run = await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
  expect(run.jobs).toEqual({ total: 2, ended: 0 });

  const build = await agent.take('build');
  expect(build.work).toMatchObject({ kind: 'build', buildName: 'patched', series: ['bundled'], config: 'peerlab' });
  const waiting = await farm.call('getRun', { params: { run: run.id } });
  expect(waiting.jobViews.find(({ kind }) => kind === 'test')?.waiting).toBe('waiting for the build patched');

  const manifest = sampleManifest('patched');
  const content = Buffer.from('a bundle');
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect((await farm.upload(sha256, content)).status).toBe(200);
  await agent.events(
    build,
    0,
    { type: 'stage', stage: 'build', status: 'started', detail: null },
    { type: 'build-progress', percent: 40, text: 'CC mm/hmm.o' },
    { type: 'stage', stage: 'build', status: 'passed', detail: null },
    { type: 'built', manifest, bundle: { sha256, sizeBytes: content.length }, cached: false },
    { type: 'finished', failure: null, restored: true, lineCounts: { build: 0 } },
  );

  const test = await agent.take('test');
  expect(test.work).toMatchObject({
    kind: 'test',
    machine: 'v-switch',
    bundle: { sha256 },
    path: { kind: 'BUS_ADDR' },
  });
  await agent.log(test, 'serial', 0, ['booting', 'login:']);
  await agent.log(test, 'test', 0, ['KTAP version 1', 'ok 1 F01']);
  await agent.events(
    test,
    0,
    { type: 'stage', stage: 'boot', status: 'passed', detail: null },
    { type: 'result', result: sampleResult('farm', 'boot') },
    { type: 'plan', suite: 'p2p-functional', tests: ['F01', 'F02', 'F03'] },
    { type: 'result', result: sampleResult('p2p-functional', 'F01', { proof: { ...proof } }) },
    {
      type: 'result',
      result: sampleResult('p2p-functional', 'F02', { proof: { ...proof, test: 'F02', taken: 'ram' } }),
    },
    {
      type: 'measurement',
      suite: 'p2p-perf',
      test: 'P01',
      metric: { name: 'fault_map.alias.pte', unit: 'ns/page', better: 'lower', samples: [3, 1, 2, 4], params: {} },
    },
    { type: 'finished', failure: null, restored: true, lineCounts: { serial: 2, test: 3 } },
  );
  // A line that comes after the end still belongs to the attempt.
  await agent.log(test, 'test', 2, ['# end']);

  const ended = await farm.call('getRun', { params: { run: run.id } });
  expect(ended).toMatchObject({ state: 'ended', verdict: 'bounced', jobs: { total: 2, ended: 2 } });
  expect(ended.counts).toEqual({ pass: 2, bounced: 1, 'not-reached': 2 });

  // The end has packed what it came to; a grid has only to read it.
  const packed = await farm.sql.rows<{ suite: string; verdicts: string }>(
    'select suite, verdicts from attempt_verdicts where attempt_id = $1 order by suite',
    [test.participantId],
  );
  expect(packed).toEqual([
    { suite: 'farm', verdicts: 'P' },
    { suite: 'p2p-functional', verdicts: 'PBN' },
    { suite: 'p2p-perf', verdicts: 'N' },
  ]);

  const grid = await farm.call('getGrid', { query: { run: run.id } });
  expect(grid.rows).toEqual([
    { suite: 'farm', test: 'boot', verdicts: 'P' },
    { suite: 'p2p-functional', test: 'F01', verdicts: 'P' },
    { suite: 'p2p-functional', test: 'F02', verdicts: 'B' },
    { suite: 'p2p-functional', test: 'F03', verdicts: 'N' },
    { suite: 'p2p-perf', test: 'P01', verdicts: 'N' },
  ]);
  expect(grid.notes).toEqual([{ row: 2, column: 0, reason: expect.stringContaining('went through RAM') }]);
  // The same when it is read again, without the cells.
  const again = await farm.call('getGrid', { query: { run: run.id, cells: 'none' } });
  expect(again).toEqual({ ...grid, cells: [], proofs: [], generatedAt: again.generatedAt });
  const newest = await farm.call('getGrid', { query: {} });
  expect(newest).toEqual({ ...grid, hasTwins: false, generatedAt: newest.generatedAt });
  expect(grid.cells.map(({ verdict }) => verdict).toSorted()).toEqual(
    ['pass', 'pass', 'bounced', 'not-reached', 'not-reached'].toSorted(),
  );
  expect(grid.columns[0]).toMatchObject({ machine: 'v-switch', logLines: { serial: 2, test: 3 }, verdict: 'bounced' });
  expect(grid.metrics[0]?.values).toEqual([{ median: 2.5, lowerQuartile: 1.75, upperQuartile: 3.25, n: 4 }]);

  const attempt = await farm.call('getAttempt', { params: { attempt: test.participantId } });
  expect(attempt.streams).toEqual([
    { stream: 'serial', lines: 2, expected: 2, bytes: expect.any(Number), removedAt: null },
    { stream: 'test', lines: 3, expected: 3, bytes: TEST_LOG.length, removedAt: null },
  ]);
  const one = { params: { attempt: test.participantId }, query: { suite: 'p2p-functional', test: 'F02' } };
  expect(await farm.call('getResult', one)).toEqual({
    ...attempt.results.find(({ test }) => test === 'F02'),
    suspects: [],
    others: [],
  });
  const log = await farm.call('getLog', { params: { attempt: test.participantId }, query: { stream: 'test' } });
  expect(log).toMatchObject({ total: 3, complete: true });
  const raw = await farm.request('getRawLog', { params: { attempt: test.participantId, stream: 'test' } });
  expect(await raw.text()).toBe(TEST_LOG);
  agent.vanish();
});

it('lets no run pass whose bundle lacks a suite, and says so', async () => {
  const agent = await farm.agent({ 'v-roots': 'THRU_HOST_BRIDGE' }, { name: 'second' });
  const { manifest } = await farm.bundle('lacking');
  const yaml = `name: lacking
builds: [{name: b, bundle: ${manifest.key}}, {name: c, series: []}]
suites: [p2p-functional, hmm-tests]
machines: {names: [v-roots]}
`;
  const run = await farm.call('submitRun', { body: { yaml } });
  const test = await agent.take('test');
  expect(test.work.kind === 'test' && test.work.suites.map(({ name }) => name)).toEqual(['p2p-functional']);
  await agent.events(
    test,
    0,
    ...['F01', 'F02', 'F03'].map((id) => ({ type: 'result' as const, result: sampleResult('p2p-functional', id) })),
    { type: 'finished', failure: null, restored: true, lineCounts: {} },
  );
  const attempt = await farm.call('getAttempt', { params: { attempt: test.participantId } });
  expect(attempt.results.find(({ suite }) => suite === 'hmm-tests')).toMatchObject({
    status: 'no-result',
    verdict: 'no-result',
    reason: 'the bundle has no suite "hmm-tests"; it has p2p-functional, p2p-perf',
  });
  const { jobViews } = await farm.call('getRun', { params: { run: run.id } });
  expect(jobViews.find(({ kind, build }) => kind === 'test' && build === 'b')?.verdict).toBe('no-result');
  agent.vanish();
});
