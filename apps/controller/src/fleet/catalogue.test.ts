import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_CATALOGUE } from '../testing/samples.js';
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
    isComplete: true,
    waitsFor: null,
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
    isComplete: true,
    waitsFor: null,
  });
  await farm.agent({}, { name: 'third', catalogue: null });
  expect(await catalogue()).toEqual({
    ...SAMPLE_CATALOGUE,
    labSuites: [],
    repositories: null,
    isComplete: false,
    waitsFor: null,
  });
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
