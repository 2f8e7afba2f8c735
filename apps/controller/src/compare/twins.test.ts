import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { insertTwins, moveRun } from '../testing/evidence-twins.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let evidence: SampleEvidence;
let names: [string, string, string];
beforeAll(async () => {
  farm = await TestFarm.start();
  evidence = await insertEvidence(farm.sql, 2);
});
afterAll(() => farm?.stop());

it('there are none while each combination has one machine', async () => {
  expect(await farm.call('getTwins', {})).toEqual({ kernels: [], combinations: [], twins: null });
  expect((await farm.call('getGrid', { query: {} })).hasTwins).toBe(false);
});

describe('machines with the same hardware', () => {
  beforeAll(async () => {
    names = await insertTwins(farm.sql, evidence, 1, 'BUS_ADDR');
  });
  const sorted = () => names.toSorted();

  it('are compared on one kernel: tests on which they do not agree, and the metric in which one stands out', async () => {
    const found = await farm.call('getTwins', {});
    expect(found.kernels.map(({ name }) => name).toSorted()).toEqual(['base', 'dma-alias']);
    const build = found.kernels.find(({ name }) => name === 'dma-alias')?.id ?? '';
    const { twins, combinations } = await farm.call('getTwins', { query: { build } });
    expect(combinations.map(({ hash }) => hash)).toEqual([evidence.hardware.BUS_ADDR.combination]);
    expect(twins?.machines).toEqual(sorted().map((name) => ({ name, attempts: expect.any(Number), isCut: false })));
    expect(twins).toMatchObject({ machinesTotal: 3, testsTotal: 1, testsCompared: 6 });
    const odd = sorted().indexOf(names[2]);
    expect(twins?.tests.map(({ test, outcomes }) => [test, outcomes[odd]?.verdict])).toEqual([['thp_alias', 'fail']]);
    expect(twins?.tests[0]?.outcomes.map((outcome) => outcome?.reason ?? null).filter(Boolean)).toEqual([
      'byte 0 differs',
    ]);
    expect(twins?.metrics.map(({ name, outlier, says }) => [name, outlier, says])).toEqual([
      ['fault_map_ram', odd, 'worse'],
      ['copy_device', null, 'unclear'],
      ['fault_map_device_pte', null, 'unclear'],
    ]);
    expect(twins?.metrics[0]?.ratio?.value).toBeCloseTo(1.3, 1);
  });

  it('are none of a kernel, on hardware, that one machine alone ran; a build that is not there is named', async () => {
    const { combination } = evidence.hardware.NOT_SUPPORTED;
    expect(await farm.call('getTwins', { query: { combination } })).toMatchObject({ twins: null });
    const missing = '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11';
    const response = await farm.request('getTwins', { query: { build: missing } });
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining(missing)]);
  });

  it('are told apart in a comparison of builds on request, each against itself', async () => {
    const query = { a: `${evidence.runs[1]}~base`, b: `${evidence.runs[1]}~dma-alias` };
    const together = await farm.call('getCompare', { query });
    expect(together.combinations).toHaveLength(3);
    const { combinations, rows, metrics } = await farm.call('getCompare', { query: { ...query, machines: 'each' } });
    const { combination } = evidence.hardware.BUS_ADDR;
    const own = combinations.filter((each) => each.combination.hash === combination);
    expect(own.map(({ machine }) => machine)).toEqual(sorted());
    expect(combinations).toHaveLength(5);
    const places = (test: string) =>
      rows.filter((row) => row.test === test).map((row) => combinations[row.combination]?.machine);
    expect(places('thp_alias')).toContain(names[2]);
    expect(places('thp_alias')).not.toContain(names[1]);
    // What makes the odd machine slow is on both sides there, and five boots a side show the change of the kernel.
    const of = (name: string, machine: string) =>
      metrics.find((metric) => metric.name === name && combinations[metric.combination]?.machine === machine);
    expect(of('fault_map_ram', names[2])).toMatchObject({ says: 'unclear', a: { boots: 5 }, b: { boots: 5 } });
    expect(of('fault_map_device_pte', names[2])).toMatchObject({ says: 'better' });
  });

  it('have a column each in the grid of the newest results on request, with all boots of their own', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const read = async (machines?: 'each') => {
      const { columns, hasTwins } = await farm.call('getGrid', { query: { machines, cells: 'none' } });
      expect(hasTwins).toBe(true);
      return columns.filter((column) => column.combination.hash === combination);
    };
    const each = await read('each');
    for (const name of names) {
      const own = each.filter(({ machine, build }) => machine === name && build.name === 'dma-alias');
      expect(own.map(({ boot }) => boot?.number)).toHaveLength(5);
    }
    expect(each).toHaveLength(30);
    // What another machine said in an older run is the newest of that machine.
    const old = await moveRun(farm.sql, evidence, 0, 'NOT_SUPPORTED');
    const machines = async (query: { machines?: 'each' }) =>
      (await farm.call('getGrid', { query: { ...query, cells: 'none' } })).columns
        .filter((column) => column.combination.hash === evidence.hardware.NOT_SUPPORTED.combination)
        .map(({ machine, build }) => `${machine} ${build.name}`);
    const { machine } = evidence.hardware.NOT_SUPPORTED;
    expect(await machines({})).toEqual([`${machine} base`, `${machine} dma-alias`]);
    expect(await machines({ machines: 'each' })).toEqual([
      `${machine} base`,
      `${machine} dma-alias`,
      `${old} base`,
      `${old} dma-alias`,
    ]);
  });
});
