import type { AttemptEvent } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { takePair } from '../testing/pair-attempt.js';
import { sampleResult } from '../testing/samples.js';

/** The server boots kernel b, the client kernel c, whose test fails. */
const TEST = { suite: 'p2p-functional', test: 'alias_read' };
const METRIC = { suite: 'p2p-functional', metric: 'ib_write_bw.average.64' };
const FINISHED: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
const result = (status: 'pass' | 'fail', reason: string | null): AttemptEvent => ({
  type: 'result',
  result: { ...sampleResult(TEST.suite, TEST.test), status, reason },
});
const figure = (sample: number): AttemptEvent => ({
  type: 'measurement',
  suite: METRIC.suite,
  test: 'P6.ib_write_bw',
  metric: { name: METRIC.metric, unit: 'MiB/s', better: 'higher', samples: [sample], params: { bytes: 64 } },
});

let farm: TestFarm;
let agents: FakeAgent[];
let run: string;
let attempt: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  const [ofServer, ofClient] = [await farm.bundle('of-server'), await farm.bundle('of-client')];
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  agents = [lab, other];
  const pair = await takePair(farm, ofServer.manifest.key, lab, other, ofClient.manifest.key);
  ({ run, attempt } = pair);
  await lab.events(pair.server, 0, result('pass', null), figure(10), FINISHED);
  await other.events(pair.client, 0, result('fail', 'no answer'), figure(20), FINISHED);
});
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await farm.stop();
});

const SERVER = { role: 'server', build: 'b' };

it('a result in the history has the kernel of the role that reported it', async () => {
  const { entries } = await farm.call('getHistory', { query: TEST });
  expect(
    entries.map(({ role, kernel, machine, facing }) => [role, kernel.name, kernel.release, machine, facing]),
  ).toEqual([
    ['client', 'c', expect.stringContaining('of-client'), 'm2', SERVER],
    ['server', 'b', expect.stringContaining('of-server'), 'm1', undefined],
  ]);
  const { entries: ofClient } = await farm.call('getHistory', { query: { ...TEST, build: 'c' } });
  expect(ofClient.map(({ role }) => role)).toEqual(['client']);
});

it('a metric of two roles is two lines, each of its own kernel and machine', async () => {
  const { lines } = await farm.call('getTrend', { query: METRIC });
  expect(
    lines.map(({ role, build, facing, points }) => [role, build, facing, points.map((p) => [p.median, p.machine])]),
  ).toEqual([
    ['client', 'c', SERVER, [[20, 'm2']]],
    ['server', 'b', undefined, [[10, 'm1']]],
  ]);
  const overview = await farm.call('getTrendOverview', {});
  expect(
    overview.lines
      .map(({ role, build, facing, medians }) => [role, build, facing, medians])
      .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
  ).toEqual([
    ['client', 'c', SERVER, [20]],
    ['server', 'b', undefined, [10]],
  ]);
});

it('a failure is remembered and listed with the kernel of the role that failed', async () => {
  const memory = await farm.call('getFailure', { params: { attempt }, query: TEST });
  expect(memory).toMatchObject({ first: { build: 'c', machine: 'm2' }, kernels: [{ build: { name: 'c' } }] });
  const { failures } = await farm.call('listRunFailures', { params: { run }, query: {} });
  expect(failures).toMatchObject([{ test: TEST.test, build: 'c', machine: 'm2' }]);
});

it('no baseline is accepted where the kernel of any role has patches', async () => {
  const until = new Date(Date.now() + 86_400_000).toISOString();
  await farm.sql.run(
    `update bundle set manifest = jsonb_set(manifest, '{series}', '[{"file": "1", "subject": "s", "sha256": "${'0'.repeat(64)}"}]')
     where manifest ->> 'release' like '%of-client%'`,
  );
  const refused = await farm.request('acceptBaseline', {
    params: { attempt },
    body: { suite: TEST.suite, reason: 'the base lacks it', until },
  });
  expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('kernel c has 1 patches')]);
});

it('a repeated job is named by its roles', async () => {
  const { jobViews } = await farm.call('getRun', { params: { run } });
  const again = await farm.call('retryJob', {
    params: { job: jobViews.find(({ kind }) => kind === 'test')?.id ?? '' },
  });
  const { trigger } = await farm.call('getRun', { params: { run: again.id } });
  expect(trigger.detail).toBe(`tester, server m1/b, client m2/c again after ${run}`);
  await farm.call('cancelRun', { params: { run: again.id } });
});

it('a job that waits for a machine is listed there with the kernel of the role that it would take, and counted', async () => {
  const { yaml } = await farm.call('getRun', { params: { run } });
  await farm.call('submitRun', { body: { yaml: yaml ?? '' } });
  const buildsOf = async (machine: string): Promise<string[]> =>
    (await farm.call('listMachineQueue', { params: { machine } })).map(({ build }) => build);
  expect([await buildsOf('m1'), await buildsOf('m2')]).toEqual([['b'], ['c']]);
  const use = await farm.call('listMachineUse', {});
  expect(use.map(({ machine, queued }) => [machine, queued])).toEqual([
    ['m1', 1],
    ['m2', 1],
  ]);
});
