import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertBoots, insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { STORY_METRICS_SUITE, STORY_SUITE, STORY_TESTS } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { historySql } from './history.js';
import { OVERVIEW_SQL } from './overview.js';
import { METRICS_SQL, trendSql } from './trend.js';

const RUNS = 8;

let farm: TestFarm;
let evidence: SampleEvidence;
beforeAll(async () => {
  farm = await TestFarm.start();
  evidence = await insertEvidence(farm.sql, RUNS);
});
afterAll(() => farm?.stop());

const plan = async (text: string, values: unknown[] = []): Promise<string> => {
  const rows = await farm.sql.rows<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
};

it('all tests are listed once, by suite and name', async () => {
  await farm.sql.run(
    `insert into test_plan (hash, suite, tests, positions)
     values ('1', 'p2p', '{b,a}', '{0,1}'), ('2', 'p2p', '{b,c}', '{0,1}'), ('3', 'mm', '{z}', '{0}')`,
  );
  const { tests, isCut } = await farm.call('listTests', {});
  expect(tests.map(({ suite, test }) => `${suite}/${test}`)).toEqual(['mm/z', 'p2p/a', 'p2p/b', 'p2p/c']);
  expect(isCut).toBe(false);
});

describe('history', () => {
  const of = { suite: STORY_SUITE, test: 'thp_alias' };

  it('is newest first, with the kernel, the run and where the evidence is', async () => {
    const { entries, combinations, next } = await farm.call('getHistory', { query: of });
    expect(entries).toHaveLength(RUNS * 6);
    expect(next).toBeNull();
    expect(combinations.map(({ hash }) => hash).toSorted()).toEqual(
      Object.values(evidence.hardware)
        .map(({ combination }) => combination)
        .toSorted(),
    );
    expect(entries.map(({ at }) => at)).toEqual(
      entries
        .map(({ at }) => at)
        .toSorted()
        .toReversed(),
    );
    const { combination, machine } = evidence.hardware.THRU_HOST_BRIDGE;
    const attemptId = evidence.attempt(3, 'dma-alias', 'THRU_HOST_BRIDGE');
    expect(entries.find((entry) => entry.attemptId === attemptId)).toMatchObject({
      verdict: 'fail',
      combination,
      machine,
      run: { id: evidence.runs[3], name: 'dma_alias, take 4' },
      kernel: { name: 'dma-alias', release: '7.3.4-dma-alias-v2', buildId: expect.stringMatching(/^[0-9a-f]{40}$/) },
      log: { stream: 'test', fromSeq: 12, toSeq: 15 },
    });
  });

  it('comes in pages without a gap or an overlap, also where many results have the same time', async () => {
    const whole = await farm.call('getHistory', { query: { ...of, limit: 200 } });
    const seen: string[] = [];
    let before: string | null = null;
    do {
      const page: typeof whole = await farm.call('getHistory', {
        query: { ...of, limit: 7, ...(before === null ? {} : { before }) },
      });
      expect(page.entries.length).toBeGreaterThan(0);
      seen.push(...page.entries.map(({ attemptId }) => attemptId));
      before = page.next;
    } while (before !== null);
    expect(seen).toEqual(whole.entries.map(({ attemptId }) => attemptId));
  });

  it('is filtered by combination and by build', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const { entries, combinations } = await farm.call('getHistory', { query: { ...of, combination, build: 'base' } });
    expect(entries).toHaveLength(RUNS);
    expect(new Set(entries.map(({ kernel }) => kernel.name))).toEqual(new Set(['base']));
    expect(combinations.map(({ hash }) => hash)).toEqual([combination]);
  });

  it('of an unknown test is empty, and a cursor that nobody gave is refused', async () => {
    const empty = await farm.call('getHistory', { query: { suite: STORY_SUITE, test: 'no_such_test' } });
    expect(empty).toEqual({ entries: [], combinations: [], next: null });
    const response = await farm.request('getHistory', { query: { ...of, before: 'yesterday' } });
    expect(response.status).toBe(400);
  });

  it('reads by its index', async () => {
    await farm.sql.run(
      `insert into result (attempt_id, suite, test, position, status, verdict, warnings, stored_at)
       select $1, 'filler', 'test_' || t, t, 'pass', 'pass', '{}', clock_timestamp() from generate_series(1, 20000) t`,
      [evidence.attempt(0, 'base', 'BUS_ADDR')],
    );
    await farm.sql.run('analyze result');
    const { text, values } = historySql({ ...of, limit: 100 });
    const explained = await plan(text, values);
    expect(explained).toContain('result_history');
    expect(explained).not.toContain('Seq Scan on result');
    await farm.sql.run(`delete from result where suite = 'filler'`);
  });
});

describe('compare', () => {
  const run = (index: number): string => evidence.runs[index] ?? '';

  it('takes the first and the last build of one run, and says what became of each test', async () => {
    const { a, b, combinations, rows, rowsTotal } = await farm.call('getCompare', { query: { a: run(7) } });
    expect([a.kernel.name, b.kernel.name, a.builds]).toEqual(['base', 'dma-alias', ['base', 'dma-alias']]);
    expect(b.run).toMatchObject({ id: run(7), name: 'dma_alias, take 8', state: 'ended' });
    const hashes = combinations.map(({ combination }) => combination.hash);
    const at = hashes.indexOf(evidence.hardware.BUS_ADDR.combination);
    expect(combinations[at]?.counts).toEqual({ regressed: 1, fixed: 2, new: 0, gone: 0, changed: 1, same: 2 });
    expect(rows.filter((row) => row.combination === at).map(({ test, class: change }) => [test, change])).toEqual([
      ['alias_read', 'fixed'],
      ['alias_write', 'fixed'],
      ['fork_while_mapped', 'regressed'],
      ['munmap_while_mapped', 'changed'],
    ]);
    expect(rowsTotal).toBe(rows.length);
    expect(rows.find(({ test }) => test === 'fork_while_mapped')).toMatchObject({
      a: { verdict: 'pass', n: 1, attemptId: evidence.attempt(7, 'base', 'BUS_ADDR') },
      b: {
        verdict: 'crash',
        reason: expect.stringContaining('KASAN'),
        log: { stream: 'test', fromSeq: 16 },
        attemptId: evidence.attempt(7, 'dma-alias', 'BUS_ADDR'),
      },
    });
  });

  it('gives all rows when asked, and is mirrored when the sides are swapped', async () => {
    const [a, b] = [`${run(0)}~dma-alias`, `${run(7)}~dma-alias`];
    const there = await farm.call('getCompare', { query: { a, b, rows: 'all' } });
    const back = await farm.call('getCompare', { query: { a: b, b: a, rows: 'all' } });
    expect(there.rows).toHaveLength(STORY_TESTS.length * 3);
    expect(there.rows.map(({ test, combination }) => [test, combination])).toEqual(
      back.rows.map(({ test, combination }) => [test, combination]),
    );
    expect(there.rows.map((row) => [row.a?.verdict, row.b?.verdict])).toEqual(
      back.rows.map((row) => [row.b?.verdict, row.a?.verdict]),
    );
    there.combinations.forEach(({ counts }, index) => {
      const other = back.combinations[index]?.counts;
      expect([counts.regressed, counts.fixed, counts.same]).toEqual([other?.fixed, other?.regressed, other?.same]);
    });
  });

  it('lists one combination alone when asked, and counts all of them all the same', async () => {
    const hash = evidence.hardware.BUS_ADDR.combination;
    const all = await farm.call('getCompare', { query: { a: run(7) } });
    const one = await farm.call('getCompare', { query: { a: run(7), combination: hash } });
    expect(one.combinations).toEqual(all.combinations);
    const at = all.combinations.findIndex(({ combination }) => combination.hash === hash);
    expect(one.rows).toEqual(all.rows.filter(({ combination }) => combination === at));
    expect(one.metrics).toEqual(all.metrics.filter(({ combination }) => combination === at));
    expect([one.rowsTotal, one.metricsTotal]).toEqual([one.rows.length, one.metrics.length]);
    expect(one.rows.length).toBeLessThan(all.rows.length);
  });

  it('has no verdict for one boot a side, and says how many are missing', async () => {
    const { metrics, combinations } = await farm.call('getCompare', {
      query: { a: `${run(0)}~dma-alias`, b: `${run(7)}~dma-alias` },
    });
    const at = combinations.findIndex(({ combination }) => combination.hash === evidence.hardware.BUS_ADDR.combination);
    const pte = metrics.find(({ name, combination }) => name === 'fault_map_device_pte' && combination === at);
    expect(pte).toMatchObject({ says: 'unclear', why: 'few-boots', moreBoots: 3, better: 'lower', unit: 'ns/page' });
    expect(pte?.ratio).toMatchObject({ value: expect.closeTo(0.875, 1), low: null, high: null });
    expect(pte?.a).toMatchObject({ n: 10, boots: 1, attemptId: evidence.attempt(0, 'dma-alias', 'BUS_ADDR') });
    expect(new Set(metrics.map(({ says }) => says))).toEqual(new Set(['unclear']));
  });

  it('has one for five boots a side, by the boots and not by their samples', async () => {
    const attempts = await insertBoots(farm.sql, 7, 'BUS_ADDR', 5);
    const { metrics, combinations } = await farm.call('getCompare', { query: { a: run(7) } });
    const at = combinations.findIndex(({ combination }) => combination.hash === evidence.hardware.BUS_ADDR.combination);
    const of = (name: string) => metrics.find((each) => each.name === name && each.combination === at);
    const pte = of('fault_map_device_pte');
    expect(pte).toMatchObject({ says: 'better', why: null, moreBoots: 0, a: { boots: 5, n: 50 }, b: { boots: 5 } });
    expect(pte?.p).toBeLessThanOrEqual(0.05);
    expect((pte?.ratio?.high ?? 1) < 0.1).toBe(true);
    expect(of('copy_device')).toMatchObject({ says: 'better' });
    expect(of('fault_map_ram')).toMatchObject({ says: 'unclear', why: 'noise' });
    // The noise is learnt from the stored boots of the kernels, the other combinations still have one boot each.
    expect(pte?.noise).toBeGreaterThan(0);
    expect(metrics.filter(({ combination }) => combination !== at).every(({ why }) => why === 'few-boots')).toBe(true);
    expect(attempts.get('base')).toHaveLength(5);
    const ofRepeats = 'select t.id from attempt t join job j on j.id = t.job_id where j.round > 1';
    await farm.sql.run(`delete from result where attempt_id in (${ofRepeats})`);
    await farm.sql.run(`delete from measurement where attempt_id in (${ofRepeats})`);
    await farm.sql.run(`delete from participant where attempt_id in (${ofRepeats})`);
    await farm.sql.run(`delete from attempt where id in (${ofRepeats})`);
    await farm.sql.run('delete from job where round > 1');
  });

  it('shows the noise of one kernel, and never a verdict', async () => {
    const { metrics } = await farm.call('getCompare', { query: { a: `${run(6)}~base`, b: `${run(7)}~base` } });
    expect(new Set(metrics.map(({ says, why }) => `${says} ${why}`))).toEqual(new Set(['unclear same-kernel']));
    expect(metrics.every(({ noise }) => noise !== null && noise < 0.2)).toBe(true);
  });

  it('finds nothing to say between a build and itself', async () => {
    const side = `${run(2)}~base`;
    const { rows, metrics } = await farm.call('getCompare', { query: { a: side, b: side } });
    expect(rows).toEqual([]);
    expect(new Set(metrics.map(({ says }) => says))).toEqual(new Set(['unclear']));
  });

  it('names a run or a build that is not there', async () => {
    const missing = '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11';
    const of = async (a: string): Promise<[number, string]> => {
      const response = await farm.request('getCompare', { query: { a } });
      return [response.status, await response.text()];
    };
    expect(await of(missing)).toEqual([404, expect.stringContaining(missing)]);
    expect(await of(`${run(0)}~nope`)).toEqual([404, expect.stringContaining('it has base, dma-alias')]);
    expect((await of('nonsense'))[0]).toBe(400);
  });
});

describe('trends', () => {
  const of = { suite: STORY_METRICS_SUITE, metric: 'fault_map_device_pte' };

  it('lists every metric once', async () => {
    const metrics = await farm.call('listMetrics', {});
    expect(metrics.map(({ suite, name, unit, better }) => [suite, name, unit, better])).toEqual([
      [STORY_METRICS_SUITE, 'copy_device', 'GB/s', 'higher'],
      [STORY_METRICS_SUITE, 'fault_map_device_pte', 'ns/page', 'lower'],
      [STORY_METRICS_SUITE, 'fault_map_ram', 'ns/page', 'lower'],
    ]);
  });

  it('gives a line for each combination and build, oldest first', async () => {
    const { lines, isCut } = await farm.call('getTrend', { query: of });
    expect(isCut).toBe(false);
    expect(lines).toHaveLength(6);
    expect(lines.map(({ points }) => points.length)).toEqual(lines.map(() => RUNS));
    const { combination } = evidence.hardware.BUS_ADDR;
    const line = lines.find((each) => each.combination.hash === combination && each.build === 'dma-alias');
    expect(line?.points.map(({ runId }) => runId)).toEqual(evidence.runs);
    expect(line?.points.at(-1)).toMatchObject({
      n: 10,
      attemptId: evidence.attempt(7, 'dma-alias', 'BUS_ADDR'),
      kernel: { name: 'dma-alias', release: '7.3.4-dma-alias-v4' },
    });
  });

  it('gives an overview of all lines, those whose level moved first, with their boots', async () => {
    const { lines, combinations, linesTotal, isCut } = await farm.call('getTrendOverview', {});
    expect([lines.length, linesTotal, isCut]).toEqual([18, 18, false]);
    const [first] = lines;
    expect(first).toMatchObject({
      metric: 'fault_map_device_pte',
      build: 'dma-alias',
      change: { index: 4, direction: 'down' },
    });
    expect(first?.change?.after).toBeLessThan((first?.change?.before ?? 0) * 0.9);
    expect(['BUS_ADDR', 'THRU_HOST_BRIDGE']).toContain(combinations[first?.combination ?? 0]?.identity.pathKind);
    const changed = lines.filter(({ change }) => change !== null);
    expect(lines.findLastIndex(({ change }) => change !== null)).toBe(changed.length - 1);
    const base = lines.find(({ metric, build }) => metric === 'fault_map_ram' && build === 'base');
    expect(base).toMatchObject({ change: null });
    expect(base?.medians.length).toBe(base?.attempts.length);
  });

  it('is filtered by combination and build, and empty for what was never measured', async () => {
    const { combination } = evidence.hardware.NOT_SUPPORTED;
    const { lines } = await farm.call('getTrend', { query: { ...of, combination, build: 'base' } });
    expect(lines.map(({ combination: { hash }, build }) => [hash, build])).toEqual([[combination, 'base']]);
    expect(await farm.call('getTrend', { query: { ...of, metric: 'nothing' } })).toEqual({ lines: [], isCut: false });
  });

  it('keeps the newest points, says when there are older ones, and reads both by their index', async () => {
    const attempt = evidence.attempt(0, 'base', 'BUS_ADDR');
    await farm.sql.run(
      `insert into measurement (attempt_id, seq, suite, test, name, unit, better, samples, params, lower_quartile,
         median, upper_quartile, stored_at)
       select $1, 1000 + s, 'filler', 't', 'metric_' || s % 4, 'ns', 'lower', '{1}', '{}', 1, s, 1,
         timestamptz '2026-01-01 00:00:00Z' + s * interval '1 second' from generate_series(0, 19999) s`,
      [attempt],
    );
    await farm.sql.run('analyze measurement');
    const { lines, isCut } = await farm.call('getTrend', { query: { suite: 'filler', metric: 'metric_3' } });
    expect(isCut).toBe(true);
    expect(lines[0]?.points).toHaveLength(500);
    expect(lines[0]?.points.at(-1)?.median).toBe(19_999);
    const { text, values } = trendSql({ suite: 'filler', metric: 'metric_3' });
    for (const explained of [await plan(text, values), await plan(METRICS_SQL), await plan(OVERVIEW_SQL)]) {
      expect(explained).toContain('measurement_trend');
      expect(explained).not.toContain('Seq Scan on measurement');
    }
    const metrics = await farm.call('listMetrics', {});
    expect(metrics.filter(({ suite }) => suite === 'filler').map(({ name }) => name)).toEqual(
      [0, 1, 2, 3].map((index) => `metric_${index}`),
    );
    await farm.sql.run(`delete from measurement where suite = 'filler'`);
  });
});
