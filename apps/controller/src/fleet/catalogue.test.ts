import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_CATALOGUE, sampleInventory } from '../testing/samples.js';
import { farmCatalogue } from './catalogue.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const catalogue = () => farm.call('getCatalogue', {});
const suite = (name: string, about: string) => ({ name, about, kind: 'functional' as const, isDefault: true });

it('is told by builders, kept while none is connected, and replaced by what the next one tells', async () => {
  expect(await catalogue()).toMatchObject({ suites: [], configs: [], isComplete: false });
  expect((await catalogue()).waitsFor).toMatch(/^a builder, .* capability build$/);
  const tester = await farm.agent({}, { name: 'tester', capabilities: ['test'], catalogue: SAMPLE_CATALOGUE });
  expect((await catalogue()).waitsFor).not.toBeNull();
  tester.vanish();

  const first = await farm.agent(
    {},
    { name: 'first', catalogue: { suites: [suite('old', 'told first')], configs: [] } },
  );
  expect(await catalogue()).toEqual({
    suites: [suite('old', 'told first')],
    configs: [],
    labSuites: [],
    repositories: null,
    configFiles: false,
    bases: [],
    isComplete: true,
    waitsFor: null,
    rdmaDevices: [],
  });
  first.vanish();
  await first.closed();
  await farm.until(
    'the first builder to be gone',
    () => farm.call('getFleet', {}),
    ({ agents }) => agents.some(({ name, connected }) => name === 'first' && !connected),
  );
  expect((await catalogue()).suites).toEqual([suite('old', 'told first')]);

  await farm.agent({}, { name: 'second', catalogue: SAMPLE_CATALOGUE });
  expect(await catalogue()).toEqual({
    ...SAMPLE_CATALOGUE,
    labSuites: [],
    repositories: null,
    configFiles: false,
    bases: [],
    isComplete: true,
    waitsFor: null,
    rdmaDevices: [],
  });
  await farm.agent({}, { name: 'third', catalogue: null });
  expect(await catalogue()).toEqual({
    ...SAMPLE_CATALOGUE,
    labSuites: [],
    repositories: null,
    configFiles: false,
    bases: [],
    isComplete: false,
    waitsFor: null,
    rdmaDevices: [],
  });
});

it('names the RDMA devices of the machines, each once', async () => {
  const lab = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' }, { name: 'lab' });
  const { functions, ...rest } = sampleInventory('BUS_ADDR');
  const having = (...names: string[]) => ({
    ...rest,
    functions: functions.map((each, at) => (at === functions.length - 1 ? { ...each, rdmaDevices: names } : each)),
  });
  lab.inventory('m1', having('mlx5_1', 'mlx5_0'));
  lab.inventory('m2', having('mlx5_0'));
  await farm.until('the devices are known', async () => {
    const { rdmaDevices } = await catalogue();
    return rdmaDevices?.join() === 'mlx5_0,mlx5_1';
  });
  lab.vanish();
});

it('believes of two builders the one that comes first, name by name', () => {
  const [a, b] = [suite('a', 'here'), suite('b', 'there')];
  const told = [
    { suites: [a], configs: [{ name: 'peerlab', about: '', bootFactor: 2 }] },
    { suites: [suite('a', 'elsewhere'), b], configs: [{ name: 'peerlab', about: '', bootFactor: 1 }] },
  ];
  expect(farmCatalogue(told.map((catalogue) => ({ catalogue, builds: true })))).toMatchObject({
    suites: [a, b],
    configs: [{ bootFactor: 2 }],
    isComplete: true,
  });
});
