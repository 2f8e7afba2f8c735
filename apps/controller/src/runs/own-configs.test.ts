import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_CATALOGUE } from '../testing/samples.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

it('a build with config: machine is one build for each configuration of its machines, under one name', async () => {
  const own = (name: string, builtAs: string) => ({ name, about: '', bootFactor: 2, builtAs });
  const configs = [own('m1', 'whole-1'), own('m2', 'whole-1'), own('m3', 'whole-2')];
  const agent = await farm.agent(
    { m1: 'BUS_ADDR', m2: 'BUS_ADDR', m3: 'BUS_ADDR', m4: 'BUS_ADDR' },
    { buildSlots: 0, catalogue: { ...SAMPLE_CATALOGUE, configs: [...SAMPLE_CATALOGUE.configs, ...configs] } },
  );
  const yaml = (machines: string) => `name: r
builds:
  - {name: base, series: []}
  - name: mine
    series: [bundled]
    config: machine
suites: [p2p-functional]
machines: {${machines}}
`;
  const refused = await farm.request('submitRun', { body: { yaml: yaml('') } });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    errors: [
      {
        path: 'builds.1.config',
        message: 'machine m4 has no configuration of its own',
        remedy: 'run "peerlab machine configure m4" and restart the agent',
        line: 6,
      },
    ],
  });
  const three = yaml('names: [m1, m2, m3]');
  const checked = await farm.call('checkRun', { body: { yaml: three } });
  expect(checked.builds.map(({ build, config }) => [build, config])).toEqual([
    ['base', undefined],
    ['mine', 'm1'],
    ['mine', 'm3'],
  ]);

  const { id, jobs } = await farm.call('submitRun', { body: { yaml: three } });
  expect(jobs.total).toBe(9);
  const run = await farm.call('getRun', { params: { run: id } });
  const built = run.jobViews.filter(({ kind }) => kind === 'build');
  expect(built.map(({ build, config }) => [build, config])).toEqual([
    ['base', undefined],
    ['mine', 'm1'],
    ['mine', 'm3'],
  ]);
  const ofBuild = new Map(built.map(({ buildId, config, build }) => [buildId, config ?? build]));
  const tests = run.jobViews.filter(({ kind, build }) => kind === 'test' && build === 'mine');
  expect(tests.map(({ machine, buildId, config }) => [machine, ofBuild.get(buildId), config])).toEqual([
    ['m1', 'm1', undefined],
    ['m2', 'm1', undefined],
    ['m3', 'm3', undefined],
  ]);
  expect(run.spec.builds.map(({ config }) => config)).toEqual([undefined, 'machine']);
  const stored = await farm.call('getBuild', { params: { build: built[2]?.buildId ?? '' } });
  expect(stored).toMatchObject({ name: 'mine', config: 'm3', jobs: [{ machine: 'm3' }] });

  const comparison = await farm.call('getCompare', { query: { a: id } });
  expect(comparison).toMatchObject({
    a: { kernel: { name: 'base' }, builds: ['base', 'mine'] },
    b: { kernel: { name: 'mine', buildId: null }, kernelsTotal: 2, builds: ['base', 'mine'] },
  });
  expect(comparison.a).not.toHaveProperty('kernelsTotal');

  // A kernel is built again for its own machines alone, and a test again for its machine.
  await farm.call('cancelRun', { params: { run: id } });
  const retried = async (job: string | undefined) => {
    const { id: again } = await farm.call('retryJob', { params: { job: job ?? '' } });
    const { jobViews } = await farm.call('getRun', { params: { run: again } });
    return jobViews.map(({ kind, build, machine }) => `${kind} ${build} ${machine ?? ''}`.trim());
  };
  expect(await retried(built[1]?.id)).toEqual(['build mine', 'test mine m1', 'test mine m2']);
  expect(await retried(tests[2]?.id)).toEqual(['build mine', 'test mine m3']);
  agent.vanish();
});
