import { insertBoots, type SampleEvidence } from '@peerlab/controller/testing';
import type { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { checkEveryPage } from './every-page.js';

/** History, compare and trends over the real controller and Postgres. */

const RUNS = 8;

let app: EvidenceApp;
let farm: TestFarm;
let evidence: SampleEvidence;
beforeAll(async () => {
  app = await startEvidenceApp(RUNS);
  ({ farm, evidence } = app);
}, 180_000);
afterAll(() => app?.close());

const run = (index: number): string => evidence.runs.at(index) ?? '';
const HISTORY = '/history?suite=p2p-functional&test=thp_alias';
const TREND = '/trends?suite=p2p-perf&metric=fault_map_device_pte';
const open: EvidenceApp['open'] = (path, options) => app.open(path, options);
const searchOf = (url: string): Record<string, string> => Object.fromEntries(new URL(url).searchParams);

checkEveryPage(open, {
  'kernels of many boots': () => '/?by=builds',
  history: () => `${HISTORY}&combination=${evidence.hardware.THRU_HOST_BRIDGE.combination}`,
  'history without a test': () => '/history',
  'history of nothing': () => '/history?suite=p2p-functional&test=no_such_test',
  compare: () => `/compare?a=${run(-1)}`,
  'compare two runs, all rows': () => `/compare?a=${run(0)}&b=${run(-1)}&rows=all`,
  'compare nothing': () => '/compare',
  'compare hardware': () => `/compare/hardware?rows=all`,
  trends: () => '/trends',
  trend: () => TREND,
  'trend as a table': () => `${TREND}&view=table`,
  runs: () => `/runs?pick=${run(0)},${run(1)}`,
});

describe('a comparison', () => {
  it('lists one combination alone when it is chosen, says so, and lists all again', async () => {
    await using opened = await open(`/compare?a=${run(-1)}`);
    const { page } = opened;
    const rows = page.getByRole('region', { name: 'Tests' }).getByRole('row');
    const all = await rows.count();
    const { combination } = evidence.hardware.BUS_ADDR;
    await page
      .getByRole('region', { name: 'By combination' })
      .getByRole('link', { name: /BUS_ADDR/ })
      .click();
    await page.getByText('is the only one listed below; the counts cover all.').waitFor();
    expect(new URL(page.url()).searchParams.get('on')).toBe(combination);
    await expect.poll(() => rows.count()).toBe(5);
    expect(all).toBeGreaterThan(5);
    await page.getByRole('link', { name: 'List all' }).click();
    await expect.poll(() => rows.count()).toBe(all);
  });
});

describe('a broken link', () => {
  it.each([
    ['/history?suite=../x&test=t&combination=zz&build=%20', 'No test is chosen.'],
    [`${HISTORY}&combination=zz&build=a b`, 'All 48 results.'],
    ['/compare?a=nonsense&b=~&rows=some', 'Choose a run to compare.'],
    ['/trends?suite=%2F&metric=&axis=log&view=3d', 'those that changed most come first.'],
    [`${TREND}&combination=zz`, '48 measurements'],
  ])('%s still opens', async (path, text) => {
    await using opened = await open(path);
    await opened.page.getByText(text).waitFor();
    expect(opened.errors).toEqual([]);
  });
  it('to a run that is not there says so and lets another be chosen', async () => {
    const missing = '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11';
    await using opened = await open(`/compare?a=${missing}`);
    const { page } = opened;
    await page.getByRole('alert').getByText(missing).first().waitFor();
    await page.getByRole('group', { name: 'Side A' }).getByRole('combobox', { name: 'Run' }).selectOption(run(-1));
    await page.getByRole('link', { name: 'fork_while_mapped' }).waitFor();
  });
});

describe('history', () => {
  it('counts, and tells flaky tests from changed kernels', async () => {
    await using opened = await open('/history?suite=p2p-functional&test=mixed_ranges');
    const { page } = opened;
    const card = page.getByRole('article').filter({ hasText: 'NOT_SUPPORTED' });
    const fact = (name: string) =>
      card.locator('dl > div', { has: page.getByText(name, { exact: true }) }).locator('dd');
    expect(await fact('n').textContent()).toBe('16');
    // 7 of 7 by the base and 4 of 7 by the series; the lab failed once for each.
    expect(await fact('passed').textContent()).toBe('78 %');
    expect(Number(await fact('on the same kernel').textContent())).toBeGreaterThan(0);
  });
  it('is filtered in the address, by a choice and by a click, and Back returns', async () => {
    await using opened = await open(HISTORY);
    const { page } = opened;
    const { combination } = evidence.hardware.THRU_HOST_BRIDGE;
    await page.getByRole('combobox', { name: 'Build' }).selectOption('dma-alias');
    await page.getByText('All 24 results.').waitFor();
    expect(searchOf(page.url())).toMatchObject({ build: 'dma-alias' });
    await page
      .getByRole('article')
      .filter({ hasText: 'THRU_HOST_BRIDGE' })
      .getByRole('heading')
      .getByRole('link')
      .click();
    await page.getByText('All 8 results.').waitFor();
    expect(searchOf(page.url())).toMatchObject({ build: 'dma-alias', combination });
    await page.goBack();
    await page.getByText('All 24 results.').waitFor();
  });
  it('is one tab stop for each strip, in which the arrow keys move and Enter opens the lines', async () => {
    await using opened = await open(
      `${HISTORY}&build=dma-alias&combination=${evidence.hardware.THRU_HOST_BRIDGE.combination}`,
    );
    const { page } = opened;
    const strip = page.getByRole('group', { name: /^Results of build dma-alias/ });
    const stops = strip.locator('a[tabindex="0"]');
    expect(await strip.locator('a').count()).toBe(RUNS);
    expect(await stops.count()).toBe(1);
    await stops.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await stops.count()).toBe(1);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/attempts/${evidence.attempt(2, 'dma-alias', 'THRU_HOST_BRIDGE')}?**`);
    await page.locator('.log-marked').getByText('# test: thp_alias').waitFor();
    expect(searchOf(page.url())).toEqual({ view: 'log', stream: 'test', line: '13', to: '16' });
  });
  it('loads older results on request, and says that there are some', async () => {
    await farm.sql.run(
      `insert into result (attempt_id, suite, test, position, status, verdict, warnings, stored_at)
       select t.id, 'p2p-functional', 'many', 0, 'pass', 'pass', '{}', t.ended_at from attempt t`,
    );
    const [first] = evidence.runs;
    await farm.sql.run(
      `with copies as (
         insert into attempt (id, job_id, number, state, ended_at)
         select gen_random_uuid(), j.id, n, 'ended', clock_timestamp()
         from job j, generate_series(2, 31) n where j.run_id = $1 returning id, ended_at)
       insert into result (attempt_id, suite, test, position, status, verdict, warnings, stored_at)
       select id, 'p2p-functional', 'many', 0, 'pass', 'pass', '{}', ended_at from copies`,
      [first],
    );
    await using opened = await open('/history?suite=p2p-functional&test=many');
    const { page } = opened;
    await page.getByText('The newest 200 results; older ones exist.').waitFor();
    await page.getByRole('button', { name: 'Load older results' }).click();
    await page.getByText('All 228 results.').waitFor();
    await farm.sql.run(`delete from result where test = 'many'`);
    await farm.sql.run(`delete from attempt where number > 1`);
  });
  it('is reached from a result of an attempt', async () => {
    await using opened = await open(`/attempts/${evidence.attempt(0, 'base', 'BUS_ADDR')}`);
    const { page } = opened;
    await page.getByRole('link', { name: 'alias_read' }).click();
    await page.getByRole('heading', { name: 'alias_read', level: 1 }).waitFor();
    expect(searchOf(page.url())).toEqual({
      suite: 'p2p-functional',
      test: 'alias_read',
      combination: evidence.hardware.BUS_ADDR.combination,
    });
  });
  it('is reached from a cell of the grid', async () => {
    await using opened = await open(`/?run=${run(-1)}`);
    const { page } = opened;
    await page.locator('td.cell.verdict-crash').click();
    await page.getByRole('link', { name: 'History of this test here' }).click();
    await page.getByRole('heading', { name: 'fork_while_mapped', level: 1 }).waitFor();
    await page.getByText('All 16 results.').waitFor();
  });
});

describe('the grid by kernel build', () => {
  it('says of how many attempts a cell is where there are more', async () => {
    await using opened = await open('/?by=builds');
    await opened.page
      .getByText('A cell sums up the newest 3 attempts of a kernel; one kernel here has older ones')
      .waitFor();
  });
});

describe('compare', () => {
  const row = (page: Awaited<ReturnType<typeof open>>['page'], what: string, kind: string) =>
    page
      .getByRole('row')
      .filter({ has: page.getByRole('link', { name: what, exact: true }) })
      .filter({ hasText: kind });

  it('shows the changed tests of a run’s first and last build, each verdict with its lines', async () => {
    await using opened = await open(`/runs/${run(-1)}`);
    const { page } = opened;
    await page.getByRole('link', { name: 'Compare builds' }).click();
    const crash = row(page, 'fork_while_mapped', 'BUS_ADDR');
    await crash.getByText('regressed').waitFor();
    await row(page, 'alias_read', 'BUS_ADDR').getByText('fixed').waitFor();
    expect(await row(page, 'mixed_ranges', 'BUS_ADDR').count()).toBe(0);
    await page.getByLabel('show unchanged tests too').check();
    await row(page, 'mixed_ranges', 'BUS_ADDR').getByText('same').waitFor();
    expect(searchOf(page.url())).toMatchObject({ rows: 'all' });
    await crash.getByRole('link', { name: 'crash' }).click();
    await page.locator('.log-marked').getByText('# test: fork_while_mapped').waitFor();
  });
  it('swaps the sides by button and key, and keeps the filter', async () => {
    await using opened = await open(`/compare?a=${run(0)}~dma-alias&b=${run(-1)}~dma-alias`);
    const { page } = opened;
    await row(page, 'thp_alias', 'THRU_HOST_BRIDGE').getByText('fixed').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('thp_alias');
    await row(page, 'fork_while_mapped', 'BUS_ADDR').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'swap the sides' }).click();
    await row(page, 'thp_alias', 'THRU_HOST_BRIDGE').getByText('regressed').waitFor();
    expect(searchOf(page.url())).toEqual({ a: `${run(-1)}~dma-alias`, b: `${run(0)}~dma-alias`, q: 'thp_alias' });
    await page.getByRole('heading', { level: 1 }).click();
    await page.keyboard.press('x');
    await row(page, 'thp_alias', 'THRU_HOST_BRIDGE').getByText('fixed').waitFor();
    expect(searchOf(page.url())).toMatchObject({ a: `${run(0)}~dma-alias` });
  });
  it('has no verdict on one boot each, and says how many boots are missing', async () => {
    await using opened = await open(`/compare?a=${run(0)}~dma-alias&b=${run(-1)}~dma-alias`);
    const { page } = opened;
    const pte = row(page, 'fault_map_device_pte', 'BUS_ADDR');
    await pte.getByText('1 boot each: 3 more of each side needed').waitFor();
    expect(await pte.textContent()).toMatch(/0\.8\d\d×no interval/);
    expect(await page.getByRole('region', { name: 'Metrics' }).locator('.tone-good, .tone-bad').count()).toBe(0);
    await page.getByText('Emulation: ratios only.').waitFor();
    // On paper the table stays a table, as narrow as a sheet is, and dark becomes light.
    await page.setViewportSize({ width: 720, height: 1000 });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const style = (element: string, property: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('${element}')).getPropertyValue('${property}')`);
    expect(await style('table.list tbody tr', 'display')).toBe('table-row');
    expect(await style('table.list thead', 'position')).toBe('static');
    expect(await style('html', '--text')).toBe('#182030');
    await page.emulateMedia({ media: 'screen' });
    await pte.getByRole('link', { name: 'fault_map_device_pte' }).click();
    await page.getByRole('heading', { name: 'Trends', level: 1 }).waitFor();
    expect(searchOf(page.url())).toMatchObject({ metric: 'fault_map_device_pte' });
  });
  it('compares two runs that were chosen in the list, the older one as A, like build with like', async () => {
    await using opened = await open('/runs');
    const { page } = opened;
    await page.getByLabel('compare dma_alias, take 8').check();
    await page.getByText('Choose one more run').waitFor();
    await page.getByLabel('compare dma_alias, take 3').check();
    expect(searchOf(page.url())).toEqual({ pick: `${run(7)},${run(2)}` });
    await page.getByRole('link', { name: 'Compare the two' }).click();
    await row(page, 'thp_alias', 'THRU_HOST_BRIDGE').getByText('fixed').waitFor();
    expect(searchOf(page.url())).toEqual({ a: run(2), b: run(7) });
    for (const [side, text] of [
      ['Side A', 'dma-alias-v2'],
      ['Side B', 'dma-alias-v4'],
    ] as const) {
      await page.getByRole('group', { name: side }).getByText(text).waitFor();
    }
  });
  it('another build of one side leaves the other as it is', async () => {
    await using opened = await open(`/compare?a=${run(-1)}`);
    const { page } = opened;
    await page
      .getByRole('group', { name: 'Side A' })
      .getByRole('combobox', { name: 'Build' })
      .selectOption('dma-alias');
    await page.getByText('Both sides are the same build of the same run.').waitFor();
    await page.getByText('No test differs.').waitFor();
    expect(searchOf(page.url())).toEqual({ a: `${run(-1)}~dma-alias`, b: `${run(-1)}~dma-alias` });
  });
});

describe('trends', () => {
  it('lead from the list of metrics to charts with the change marked, and each point to its attempt', async () => {
    await using opened = await open('/');
    const { page } = opened;
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByText('18 lines').waitFor();
    // Those whose level moved stand first, with the reason to open them; a pointer reads a value.
    const first = page.locator('.spark-card').first();
    expect(await first.textContent()).toMatch(/fault_map_device_pte.*▲ −1\d % better.*8 boots, n = 80 · axis/);
    await first.locator('svg').hover({ position: { x: 3, y: 20 } });
    await first.getByText('boot 1 of 8').waitFor();
    await page.getByLabel('Filter metrics').fill('device_pte dma.*THRU');
    await page.getByText('1 line, of which').waitFor();
    await first.getByRole('link', { name: 'fault_map_device_pte' }).click();
    await page.getByText('ns/page, lower is better').waitFor();
    await page.getByRole('combobox', { name: 'Combination' }).selectOption('');
    await page.getByRole('combobox', { name: 'Build' }).selectOption('dma-alias');
    await page.getByRole('article').nth(2).waitFor();
    const card = page.getByRole('article').filter({ hasText: 'BUS_ADDR' });
    await card.locator('.chart-better').waitFor();
    expect(await card.locator('.chart-change').count()).toBe(1);
    expect(await card.locator('.chart-change').textContent()).toMatch(/−1\d % better/);
    expect(searchOf(page.url())).toMatchObject({ build: 'dma-alias' });
    await page.getByText('Emulation: ratios only.').waitFor();
    await card.locator('.chart').hover({ position: { x: 60, y: 60 } });
    expect(await card.locator('.chart-readout').textContent()).toMatch(
      /ns\/page \(quartiles .* n = 10\) · 7\.3\.4-dma-alias-v1/,
    );
    const points = card.getByRole('group', { name: /^Medians of dma-alias/ }).locator('a');
    expect(await points.count()).toBe(RUNS);
    await points.last().focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/attempts/${evidence.attempt(RUNS - 2, 'dma-alias', 'BUS_ADDR')}`);
  });
  it('put the axis and the table into the address, and the table has the same numbers', async () => {
    await using opened = await open(`${TREND}&build=base&combination=${evidence.hardware.BUS_ADDR.combination}`);
    const { page } = opened;
    const chart = page.locator('.chart');
    await chart.waitFor();
    const names = await chart.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('aria-label')));
    expect(await chart.locator('.chart-text:not(.chart-kernel)').first().textContent()).not.toBe('0');
    await page.getByLabel('Axis').selectOption('zero');
    await chart.locator('.chart-text').getByText('0', { exact: true }).waitFor();
    await page.getByLabel('as a table').check();
    const medians = page.locator('td[data-label="Median, ns/page"]');
    await medians.first().waitFor();
    expect(searchOf(page.url())).toMatchObject({ axis: 'zero', view: 'table' });
    const shown = await medians.allTextContents();
    expect(shown.toReversed()).toEqual(names.map((name) => name?.split(' ns/page')[0]));
  });
  it('are drawn anew when something new was measured', async () => {
    await using opened = await open(`${TREND}&build=base&combination=${evidence.hardware.BUS_ADDR.combination}`);
    const { page } = opened;
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByText('8 measurements').waitFor();
    await farm.sql.run(
      `insert into measurement select attempt_id, 99, suite, test, name, unit, better, samples, params, lower_quartile,
         median, upper_quartile, clock_timestamp() from measurement where attempt_id = $1 and name = $2`,
      [evidence.attempt(0, 'base', 'BUS_ADDR'), 'fault_map_device_pte'],
    );
    await farm.changed('grid');
    await page.getByText('9 measurements').waitFor();
    await farm.sql.run('delete from measurement where seq = 99');
  });
});

describe('with five boots a side', () => {
  beforeAll(async () => {
    await insertBoots(farm.sql, RUNS - 1, 'BUS_ADDR', 5);
    await insertBoots(farm.sql, RUNS - 1, 'NOT_SUPPORTED', 5);
  });

  it('a page says which changes are real, those first, and why the others are not', async () => {
    await using opened = await open(`/runs/${run(-1)}`);
    const { page } = opened;
    // "Is this 3 % real": one click from the run.
    await page.getByRole('link', { name: 'Compare builds' }).click();
    const metrics = page.getByRole('region', { name: 'Metrics' });
    const rows = metrics.getByRole('row');
    await rows.nth(1).locator('.badge', { hasText: 'better' }).waitFor();
    expect(await rows.nth(1).textContent()).toMatch(
      /5 boots, n = 50.*5 boots, n = 50.*p = 0\.0\d\d, adjusted for all metrics/,
    );
    const ram = rows.filter({ hasText: 'fault_map_ram' }).filter({ hasText: 'BUS_ADDR' });
    expect(await ram.textContent()).toMatch(/no clear changewithin the noise; a change of [\d.]+ % would count/);
    await metrics.getByText('more boots of each side are needed').waitFor();
  });

  it('the grid has one column for the boots of a kernel, says how many failed, and opens to one for each', async () => {
    const [failed] = await farm.sql.rows<{ id: string }>(
      `select t.id from attempt t join job j on j.id = t.job_id join build b on b.id = j.build_id
       where j.run_id = $1 and j.round = 3 and b.name = 'dma-alias' and j.combination = $2`,
      [evidence.runs[RUNS - 1], evidence.hardware.BUS_ADDR.combination],
    );
    const set = (verdict: string, reason: string | null) =>
      farm.sql.run(`update result set verdict = $2, reason = $3 where attempt_id = $1 and test = 'alias_read'`, [
        failed?.id,
        verdict,
        reason,
      ]);
    await set('fail', 'byte 8 differs');
    await using opened = await open(`/?run=${run(-1)}`);
    const { page, errors } = opened;
    const columns = page.getByText(/ tests × \d+ columns/);
    expect(await columns.textContent()).toContain('× 6 columns');
    const cell = page.locator('td[title*="passed 4 of 5: byte 8 differs"]');
    await cell.click();
    await page.getByText('The evidence is that of boot 3 of 5').waitFor();
    expect(await page.getByRole('link', { name: /^boot \d of 5$/ }).count()).toBe(5);
    await page.getByRole('button', { name: 'a column for each boot' }).click();
    await page.getByText('× 22 columns').waitFor();
    await page.locator('td[title*="fail: byte 8 differs"]').click();
    await page.getByText('boot 3 of 5.').waitFor();
    expect(new URL(page.url()).searchParams.get('cell')).toMatch(/@[0-9a-f]{8}\.3$/);
    expect(errors).toEqual([]);
    await set('pass', null);
  });

  it('the grid picks two combinations, whose comparison says what differs', async () => {
    await using opened = await open(`/?run=${run(-1)}`);
    const { page } = opened;
    // "What differs between these two machines": two clicks from the grid.
    await page.getByRole('button', { name: /compare hardware .*BUS_ADDR/ }).click();
    await page.getByTitle(/compare the chosen hardware with .*NOT_SUPPORTED/).click();
    await page.getByRole('heading', { name: 'Compare hardware' }).waitFor();
    const facts = page.getByRole('region', { name: 'Hardware' }).getByRole('row');
    await facts.nth(1).getByText('peer path').waitFor();
    expect(await facts.nth(1).textContent()).toMatch(/BUS_ADDR.*NOT_SUPPORTED/);
    const { hardware } = evidence;
    expect(searchOf(page.url())).toMatchObject({
      a: hardware.BUS_ADDR.combination,
      b: hardware.NOT_SUPPORTED.combination,
    });
    await page.getByText('Emulation: ratios only.').waitFor();
    const metrics = page.getByRole('region', { name: 'Metrics' });
    await metrics.getByRole('row').nth(1).locator('.badge', { hasText: 'worse' }).waitFor();
    await page.keyboard.press('x');
    await metrics.getByRole('row').nth(1).locator('.badge', { hasText: 'better' }).waitFor();
  });
});
