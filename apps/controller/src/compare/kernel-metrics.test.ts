import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { insertKernels } from '../testing/evidence-kernels.js';
import { STORY_METRICS_SUITE } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { METRICS_SQL, type MetricRow } from '../grid/grid-metrics.js';
import { foldMetrics } from './kernel-metrics.js';

const measured = (attemptId: string, median: number, suite = 's'): MetricRow => ({
  suite,
  test: 't',
  name: 'm',
  unit: 'ns',
  better: 'lower',
  values: [{ attemptId, lowerQuartile: median, median, upperQuartile: median, n: 3 }],
});
const attempts = (...names: string[]) => ({
  attempts: names.map((attempt) => ({ combination: 'c', attempt })),
});
const line = (attemptId: string, suite = 's') => ({ attemptId, suite });

describe('folding', () => {
  it('takes the figures of the attempt that the verdicts are taken of, and none where it measured nothing', () => {
    const kernels = [attempts('new', 'old'), attempts('crashed', 'whole')];
    const said = ['new', 'old', 'crashed', 'whole'].map((attempt) => line(attempt));
    const figures = [measured('old', 9), measured('new', 1), measured('new', 2), measured('whole', 7)];
    const [row, ...others] = foldMetrics(kernels, said, figures);
    expect(others).toEqual([]);
    expect(row?.values.map((value) => value?.median ?? null)).toEqual([2, null]);
  });
  it('looks at each suite by itself, and takes the newest that measured where a suite has no verdicts', () => {
    const kernels = [attempts('new', 'old')];
    const rows = foldMetrics(
      kernels,
      [line('new', 'first')],
      [measured('old', 5, 'second'), measured('old', 6, 'third'), measured('new', 4, 'third')],
    );
    expect(rows.map(({ suite, values }) => [suite, values[0]?.median])).toEqual([
      ['second', 5],
      ['third', 4],
    ]);
  });
});

describe('the metrics by kernel', () => {
  const KERNELS = 60;
  const RUNS = 4;
  let farm: TestFarm;
  let evidence: SampleEvidence;
  beforeAll(async () => {
    farm = await TestFarm.start();
    evidence = await insertEvidence(farm.sql, RUNS);
    await insertKernels(farm.sql, { kernels: KERNELS, runs: 10, tests: 6, newer: false, metrics: 4 });
  });
  afterAll(() => farm?.stop());

  it('stand for the kernels of the grid’s page, whatever their order', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const grid = await farm.call('getBuildGrid', { query: { combination } });
    const { kernels, metrics } = await farm.call('getKernelMetrics', { query: { combination } });
    expect(kernels.toSorted()).toEqual(grid.columns.map(({ key }) => key).toSorted());
    const at = (release: string) => kernels.indexOf(grid.columns.find((each) => each.release === release)?.key ?? '');
    const row = metrics.find(({ suite, name }) => suite === STORY_METRICS_SUITE && name === 'fault_map_device_pte');
    expect(row?.values).toHaveLength(30);
    expect(row?.values[at('7.3.4-base')]).toMatchObject({ n: 10 });
    expect(row?.values[at('7.3.4-base')]?.median).toBeGreaterThan(10_000);
    expect(row?.values[at('7.3.4-dma-alias-v2')]?.median).toBeLessThan(400);
    expect(row?.values[at(`7.3.4-filler-${KERNELS}`)]).toBeNull();
    const filler = metrics.find(({ name }) => name === 'metric_1');
    expect(filler?.values[at(`7.3.4-filler-${KERNELS}`)]?.median).toBe(KERNELS);
    expect(metrics.map(({ name }) => name)).toEqual([
      'metric_1',
      'metric_2',
      'metric_3',
      'metric_4',
      'copy_device',
      'fault_map_device_pte',
      'fault_map_ram',
    ]);
  });

  it('follow the pages of the grid', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const { older } = await farm.call('getBuildGrid', { query: { combination } });
    const query = { combination, before: older.before ?? '' };
    const grid = await farm.call('getBuildGrid', { query });
    const { kernels, metrics } = await farm.call('getKernelMetrics', { query });
    expect(kernels).toEqual(grid.columns.map(({ key }) => key));
    expect(metrics.map(({ suite }) => suite)).toEqual(Array.from({ length: 4 }, () => 'filler'));
  });

  it('are none for a combination that is not there, and refused for all at once', async () => {
    const combination = '0'.repeat(64);
    expect(await farm.call('getKernelMetrics', { query: { combination } })).toEqual({ kernels: [], metrics: [] });
    expect((await farm.request('getKernelMetrics', { query: { combination: 'all' } })).status).toBe(400);
  });

  it('are read along their index', async () => {
    const attempt = evidence.attempt(0, 'base', 'BUS_ADDR');
    const rows = await farm.sql.rows<{ 'QUERY PLAN': string }>(`explain analyze ${METRICS_SQL}`, [[attempt]]);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('measurement_pkey');
    expect(plan).not.toContain('Seq Scan on measurement');
  });
});
