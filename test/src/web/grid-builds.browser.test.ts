import { insertKernels, type SampleEvidence } from '@peerlab/controller/testing';
import type { TestFarm } from '@peerlab/controller/testing/farm';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { checkEveryPage } from './every-page.js';
import { accessibilityFindings } from './web-app.js';

/** The grid by kernel build, flakiness and metrics in cells over the real controller and Postgres. */

const RUNS = 8;

let app: EvidenceApp;
let farm: TestFarm;
let evidence: SampleEvidence;
/** Build-ids by release. */
let kernels: Record<string, string>;
beforeAll(async () => {
  app = await startEvidenceApp(RUNS);
  ({ farm, evidence } = app);
  // What measures is a test, too.
  await farm.sql.run(
    `insert into result (attempt_id, suite, test, position, status, verdict, warnings, stored_at)
     select attempt_id, suite, test, 20000 + seq, 'pass', 'pass', '{}', stored_at from measurement`,
  );
  const { columns } = await farm.call('getBuildGrid', { query: { combination: 'all' } });
  kernels = Object.fromEntries(columns.map(({ release, buildId }) => [release, buildId]));
}, 180_000);
afterAll(() => app?.close());

const on = (kind: keyof SampleEvidence['hardware']): string => evidence.hardware[kind].combination;
const BY_BUILDS = '/?by=builds';
/** Name of a cell in the address, of the newest kernel of the series unless told otherwise. */
function cellOf(test: string, release = '7.3.4-dma-alias-v4'): string {
  return `p2p-functional/${test}@${kernels[release]}`;
}

const open: EvidenceApp['open'] = (path, options) => app.open(path, options);
const searchOf = (url: string): Record<string, string> => Object.fromEntries(new URL(url).searchParams);

const grid = (page: Page) => page.locator('table.grid').waitFor();
checkEveryPage(
  open,
  {
    'by builds': () => `${BY_BUILDS}&combination=${on('THRU_HOST_BRIDGE')}`,
    'all combinations with a cell open': () =>
      `${BY_BUILDS}&combination=all&cell=${encodeURIComponent(cellOf('fork_while_mapped'))}`,
    'by flakiness': () => `${BY_BUILDS}&combination=${on('NOT_SUPPORTED')}&sort=flakiness`,
    'a combination without kernels': () => `${BY_BUILDS}&combination=${'0'.repeat(64)}`,
    'metrics in the cells': () => `/?run=${evidence.runs.at(-1)}&show=metric`,
    'metrics by kernel': () =>
      `${BY_BUILDS}&combination=${on('BUS_ADDR')}&show=metric&cell=${encodeURIComponent(`p2p-perf/copy_device@${kernels['7.3.4-dma-alias-v4']}`)}`,
  },
  {
    'by builds': grid,
    'all combinations with a cell open': grid,
    'by flakiness': grid,
    'a combination without kernels': (page) => page.locator('.empty').waitFor(),
    'metrics in the cells': grid,
    'metrics by kernel': (page) => page.locator('tbody.metrics').waitFor(),
  },
);

describe('a link', () => {
  it('that is broken still opens', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=zz&sort=worst&show=3d&cell=nowhere&before=yesterday`);
    const { page, errors } = opened;
    await page.getByRole('rowheader', { name: 'thp_alias' }).waitFor();
    expect(await page.getByRole('complementary').count()).toBe(0);
    expect(errors).toEqual([]);
  });
  it('to a cell opens its evidence, from which the log lines are one click away', async () => {
    const cell = cellOf('thp_alias', '7.3.4-dma-alias-v2');
    await using opened = await open(
      `${BY_BUILDS}&combination=${on('THRU_HOST_BRIDGE')}&cell=${encodeURIComponent(cell)}`,
    );
    const { page } = opened;
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText('expected 0x5a01').waitFor();
    expect(await panel.locator('a.strong', { hasText: /^dma-alias$/ }).getAttribute('href')).toMatch(
      /^\/builds\/[0-9a-f-]{36}$/,
    );
    await panel.getByRole('link', { name: /^Log: test lines 13–16/ }).click();
    await page.waitForURL(`**/attempts/${evidence.attempt(3, 'dma-alias', 'THRU_HOST_BRIDGE')}?*`);
    await page.locator('.log-marked').nth(3).waitFor();
  });
});

describe('the grid by kernel build', () => {
  it('is reached from the grid; the filter stays and Back returns', async () => {
    await using opened = await open('/?q=alias');
    const { page } = opened;
    await page.getByRole('link', { name: 'by kernel build' }).click();
    await page.getByRole('grid', { name: /kernel build/ }).waitFor();
    expect(searchOf(page.url())).toEqual({ q: 'alias', by: 'builds' });
    expect(await page.getByRole('rowheader', { name: 'mixed_ranges' }).count()).toBe(0);
    await page.goBack();
    await page.getByRole('grid', { name: /hardware combination/ }).waitFor();
    await page.keyboard.press('v');
    await page.getByRole('grid', { name: /kernel build/ }).waitFor();
  });
  it('has its kernels newest first below the name of their build, each with a link to its page', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('THRU_HOST_BRIDGE')}`);
    const { page } = opened;
    await page.getByRole('columnheader', { name: 'dma-alias 4 kernels on 7.3.4' }).waitFor();
    expect(await page.locator('.kernel-release').allTextContents()).toEqual([
      '7.3.4-dma-alias-v4',
      '7.3.4-dma-alias-v3',
      '7.3.4-dma-alias-v2',
      '7.3.4-dma-alias-v1',
      '7.3.4-base',
    ]);
    const row = page.getByRole('row', { name: /^thp_alias/ });
    expect(await row.locator('td.cell').allTextContents()).toEqual(['✓P', '✓P', '✗F', '✗F', '✓P']);
    await page.locator('.kernel-box a').nth(2).click();
    await page.getByRole('heading', { name: 'dma-alias', level: 1 }).waitFor();
    await page
      .getByText(kernels['7.3.4-dma-alias-v2'] ?? '?')
      .first()
      .waitFor();
  });
  it('is one tab stop in which the arrow keys move, Enter opens and Escape returns', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('THRU_HOST_BRIDGE')}`);
    const { page } = opened;
    const grid = page.getByRole('grid');
    await grid.waitFor();
    expect(await grid.locator('[tabindex="0"]').count()).toBe(1);
    await grid.locator('[tabindex="0"]').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight']) {
      await page.keyboard.press(key);
    }
    await page.keyboard.press('Enter');
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByRole('heading', { name: 'thp_alias' }).waitFor();
    expect(searchOf(page.url())['cell']).toBe(cellOf('thp_alias', '7.3.4-dma-alias-v2'));
    const newer = panel.getByRole('button', { name: /7\.3\.4-dma-alias-v3/ });
    await newer.click();
    await panel
      .getByText(kernels['7.3.4-dma-alias-v3']?.slice(0, 10) ?? '?')
      .first()
      .waitFor();
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    expect(await page.evaluate("document.activeElement.closest('tr').querySelector('th').textContent")).toBe(
      'thp_alias',
    );
  });
  it('puts the chosen combination into the address and says where all of them disagree', async () => {
    await using opened = await open(BY_BUILDS);
    const { page } = opened;
    const chooser = page.getByRole('combobox', { name: 'On' });
    await chooser.selectOption({ label: 'all combinations, the worst of each' });
    const cell = page
      .getByRole('row', { name: /^fork_while_mapped/ })
      .locator('td.cell')
      .first()
      .and(page.locator('.verdict-crash'));
    await cell.waitFor();
    expect(searchOf(page.url())).toEqual({ by: 'builds', combination: 'all' });
    expect(await cell.getAttribute('title')).toContain('1 of 3 combinations has this verdict');
    await cell.click();
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText('1 of 3 combinations has this verdict; the worst is shown').waitFor();
    expect(await panel.locator('a.neighbour .verdict').allTextContents()).toEqual(['✸X', '✓P', '✓P']);
    await chooser.selectOption(on('NOT_SUPPORTED'));
    await page
      .getByRole('row', { name: /^fork_while_mapped/ })
      .locator('.verdict-crash')
      .waitFor({ state: 'detached' });
    expect(searchOf(page.url())).toEqual({ by: 'builds', combination: on('NOT_SUPPORTED') });
    await page.goBack();
    await cell.waitFor();
  });
  it('leads from a kernel to what changed since the one before', async () => {
    const cell = encodeURIComponent(cellOf('thp_alias'));
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}&cell=${cell}`);
    const { page } = opened;
    await page.getByRole('link', { name: 'Compare with the kernel before' }).click();
    await page.waitForURL('**/compare?*');
    expect(searchOf(page.url())).toEqual({
      a: `${evidence.runs[5]}~dma-alias`,
      b: `${evidence.runs[7]}~dma-alias`,
    });
    await page.getByRole('link', { name: 'fork_while_mapped' }).waitFor();
  });
  it('comes with the cursor of when it was asked for, so that nothing is fetched twice', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}`);
    const { page } = opened;
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('rowheader', { name: 'thp_alias' }).waitFor();
    const cursor = await page.locator('meta[name="live-cursor"]').getAttribute('content');
    expect(cursor).toMatch(/^\d+\.\d+\/\d+:\d+:/);
    expect(asked.filter((path) => path === '/api/v1/grid/builds')).toHaveLength(1);
  });
  it('follows new results without a reload', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}`);
    const { page } = opened;
    await page.getByText('live', { exact: true }).waitFor();
    const cell = page
      .getByRole('row', { name: /^alias_read/ })
      .locator('td.cell')
      .first();
    await cell.and(page.locator('.verdict-pass')).waitFor();
    const attempt = evidence.attempt(7, 'dma-alias', 'BUS_ADDR');
    await farm.sql.run(
      `update result set verdict = 'tainted', reason = 'WARNING: mm/hmm.c' where attempt_id = $1 and test = 'alias_read'`,
      [attempt],
    );
    await farm.sql.run('delete from attempt_verdicts where attempt_id = $1', [attempt]);
    await farm.sql.run('insert into unpacked_attempt (attempt_id) values ($1) on conflict do nothing', [attempt]);
    await farm.changed('grid');
    // The run before it passed on the same kernel.
    await cell.and(page.locator('.verdict-flaky')).waitFor();
  });
});

describe('flakiness', () => {
  it('sorts the tests, says how often each flipped, and is not asked for otherwise', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('NOT_SUPPORTED')}`);
    const { page } = opened;
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const names = page.locator('th.test-name');
    expect(await names.first().textContent()).toBe('alias_read');
    expect(asked.filter((path) => path.endsWith('/flakiness'))).toEqual([]);
    await page.getByRole('combobox', { name: 'Tests' }).selectOption('flakiness');
    await page.getByText('flipped 3 of').waitFor();
    expect(await names.first().textContent()).toMatch(/^mixed_ranges3\/\d+ flipped 3 of \d+ times$/);
    expect(searchOf(page.url())).toMatchObject({ sort: 'flakiness' });
    expect(asked.filter((path) => path.endsWith('/flakiness')).length).toBeGreaterThan(0);
  });
});

describe('metrics in the cells', () => {
  it('stand beside the verdict with unit and ratio to the base, and lead to their trend', async () => {
    await using opened = await open(`/?run=${evidence.runs.at(-1)}`);
    const { page } = opened;
    const row = page.locator('tr', { has: page.locator('th[title="fault_map_device_pte"]') });
    await row.waitFor();
    expect(await row.locator('.cell-metric').count()).toBe(0);
    await page.getByLabel('Metrics in cells').check();
    await row.locator('.cell-metric').first().waitFor();
    expect(searchOf(page.url())).toMatchObject({ show: 'metric' });
    expect(await row.locator('td.cell .verdict-pass').count()).toBe(6);
    const better = row.locator('td.cell', { hasText: '× lower, no verdict' }).first();
    expect(await better.textContent()).toContain('ns/page');
    await better.click();
    await page
      .getByRole('complementary', { name: 'Evidence' })
      .getByRole('link', { name: 'fault_map_device_pte' })
      .click();
    await page.waitForURL('**/trends?*');
    expect(searchOf(page.url())).toMatchObject({ suite: 'p2p-perf', metric: 'fault_map_device_pte' });
    expect(searchOf(page.url())['combination']).toMatch(/^[0-9a-f]{64}$/);
  });
  it('of kernels are asked for only when wanted, and stand against the kernel without the feature', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}`);
    const { page } = opened;
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const row = page.getByRole('row', { name: /^fault_map_device_pte/ }).first();
    await row.waitFor();
    expect(await row.locator('td.cell').allTextContents()).toEqual(Array.from({ length: 5 }, () => '✓P'));
    await page.getByLabel('Metrics in cells').check();
    await page.getByText(/each against kernel .* the newest kernel here without special features/).waitFor();
    expect(asked.filter((path) => path.endsWith('/kernel-metrics'))).toHaveLength(1);
    expect(asked.filter((path) => path.endsWith('/grid/builds'))).toEqual([]);
    expect(searchOf(page.url())).toMatchObject({ show: 'metric' });
    const cells = await row.locator('td.cell').allTextContents();
    expect(cells.slice(0, 4).map((text) => text.replace(/[\d.]+/g, '#'))).toEqual(
      Array.from({ length: 4 }, () => '✓P# ns/page#× lower, no verdict'),
    );
    expect(cells[4]).toMatch(/^✓P1[45]\u202f\d{3} ns\/page$/);
    const head = page.getByRole('columnheader', { name: /metrics are compared with those of this kernel/ });
    expect(await head.locator('.kernel-release').textContent()).toBe('7.3.4-base');
    await row.locator('td.cell').first().click();
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText(/× lower than kernel [0-9a-f]+ of base, no verdict/).waitFor();
    await panel.getByRole('link', { name: 'fault_map_device_pte', exact: true }).click();
    await page.waitForURL('**/trends?*');
    const trend = { suite: 'p2p-perf', metric: 'fault_map_device_pte', combination: on('BUS_ADDR') };
    expect(searchOf(page.url())).toEqual(trend);
    await page.goBack();
    const medians = page.locator('tbody.metrics tr', { hasText: 'copy_device' });
    await medians.getByRole('rowheader').getByRole('link').click();
    await page.waitForURL('**/trends?*');
    expect(searchOf(page.url())).toEqual({ ...trend, metric: 'copy_device' });
  });
  it('of all combinations are none, and it is said why', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=all&show=metric`);
    const { page } = opened;
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.getByText('values of different hardware cannot be combined').waitFor();
    expect(await page.locator('.cell-metric, tbody.metrics').count()).toBe(0);
    await page.getByRole('combobox', { name: 'On' }).selectOption(on('THRU_HOST_BRIDGE'));
    await page.locator('tbody.metrics').first().waitFor();
    expect(asked.filter((path) => path.endsWith('/kernel-metrics'))).toHaveLength(1);
    await page.keyboard.press('v');
    await page.getByRole('grid', { name: /hardware combination/ }).waitFor();
    expect(searchOf(page.url())).toEqual({ show: 'metric' });
  });
  it('and the rows of medians lead to trends, too', async () => {
    await using opened = await open(`/?run=${evidence.runs.at(-1)}`);
    const { page } = opened;
    const medians = page.locator('tbody.metrics tr', { hasText: 'copy_device' });
    await medians.locator('td a').first().click();
    await page.waitForURL('**/trends?*');
    expect(searchOf(page.url())).toMatchObject({ suite: 'p2p-perf', metric: 'copy_device' });
  });
});

describe('a build', () => {
  it('is a link wherever it is named', async () => {
    for (const path of [
      `/?run=${evidence.runs.at(-1)}`,
      `/attempts/${evidence.attempt(7, 'dma-alias', 'BUS_ADDR')}`,
      `/history?suite=p2p-functional&test=thp_alias`,
      `/compare?a=${evidence.runs.at(-1)}`,
    ]) {
      await using opened = await open(path);
      const link = opened.page.getByRole('link', { name: 'dma-alias', exact: true }).first();
      expect(await link.getAttribute('href'), path).toMatch(/^\/builds\/[0-9a-f-]{36}$/);
    }
  });
});

describe('many kernels', () => {
  const MANY = 40;
  beforeAll(() => insertKernels(farm.sql, { kernels: MANY, runs: 1, tests: 410, newer: false, metrics: 2 }));

  const heads = (page: Page) => page.locator('.kernel-box');
  // Five kernels of the story are newer.
  const FIRST = 'kernels 1–30 of 45 with results, newest first';
  const SECOND = 'kernels 31–45 of 45 with results, newest first';

  it('are the newest thirty, upright, still one tab stop, and it is said how many there are', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}&q=test_1$`);
    const { page } = opened;
    await page.getByText(FIRST).waitFor();
    const grid = page.getByRole('grid');
    expect(await heads(page).count()).toBe(30);
    expect(await grid.locator('thead a:not([tabindex="-1"])').count()).toBe(0);
    await grid.locator('[tabindex="0"]').focus();
    await page.keyboard.press('End');
    expect(await page.evaluate('document.activeElement.dataset.column')).toBe('30');
  });

  it('are paged by link; the address has the page, Back returns, and the keyboard is never lost', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}&q=test_1$`);
    const { page } = opened;
    await page.getByRole('link', { name: 'older kernels' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText(SECOND).waitFor();
    expect(searchOf(page.url())).toMatchObject({ q: 'test_1$', before: expect.stringMatching(/Z~[0-9a-f]{64}$/) });
    expect(await heads(page).count()).toBe(15);
    await page.getByRole('columnheader', { name: 'filler 15 kernels on 7.3.4' }).waitFor();
    expect(await page.getByRole('link', { name: 'older kernels' }).count()).toBe(0);
    expect(await page.evaluate('document.activeElement.textContent')).toContain('newer kernels');
    await page.goBack();
    await page.getByText(FIRST).waitFor();
    expect(await heads(page).count()).toBe(30);
  });

  it('are paged by key; a page outlives a reload, and another combination begins with the newest', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}&q=test_1$`);
    const { page } = opened;
    await page.getByText(FIRST).waitFor();
    await page.keyboard.press('o');
    await page.getByText(SECOND).waitFor();
    await page.reload();
    await page.getByText(SECOND).waitFor();
    await page.keyboard.press('n');
    await page.getByText(FIRST).waitFor();
    expect(searchOf(page.url())['before']).toBeUndefined();
    await page.keyboard.press('o');
    await page.getByText(SECOND).waitFor();
    await page.getByRole('combobox', { name: 'On' }).selectOption(on('NOT_SUPPORTED'));
    await page.getByText(FIRST).waitFor();
    expect(searchOf(page.url())['before']).toBeUndefined();
  });

  it('before a time that is none of theirs still open', async () => {
    const before = (time: string) => `${BY_BUILDS}&before=${encodeURIComponent(`${time}~${'0'.repeat(64)}`)}`;
    await using opened = await open(before('2001-01-01T00:00:00Z'));
    const { page } = opened;
    await page.getByText('No older kernel was tested.').waitFor();
    await page.getByText('none of 45 kernels with results is older').waitFor();
    await page.getByRole('link', { name: 'newer kernels' }).click();
    await page.getByText('kernels 16–45 of 45').waitFor();
    await page.goto(new URL(before('0000-01-01T00:00:00Z'), page.url()).href);
    await page.getByText(FIRST).waitFor();
    expect(opened.errors).toEqual([]);
  });

  it('have their metrics below the verdict, on every page against a kernel that is shown', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}&show=metric&q=test_1$`);
    const { page } = opened;
    await page.getByText('the newest kernel here without special features').waitFor();
    await page.locator('.cell-metric-narrow').first().waitFor();
    await page.getByRole('link', { name: 'older kernels' }).click();
    await page.getByText(SECOND).waitFor();
    const row = page.getByRole('row', { name: /^test_1/ });
    await row.locator('.cell-metric-narrow').first().waitFor();
    // One nanosecond more with each kernel; all of them are of one kind.
    const cells = await row.locator('.cell-metric-narrow').allTextContents();
    expect(cells).toHaveLength(15);
    expect(cells[0]).toMatch(/^15 ns/);
    expect(cells[14]).toMatch(/^1 ns.*15× lower, no verdict$/);
    expect(await accessibilityFindings(page)).toEqual([]);
  });

  it('of many tests have no corner without a verdict, and no line of a dense grid is higher than another', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}&show=metric`);
    const { page } = opened;
    await page.getByText('the newest kernel here without special features').waitFor();
    await page.getByRole('link', { name: 'older kernels' }).click();
    await page.locator('.grid-dense td.cell').first().waitFor();
    expect(await page.locator('.corner-better, .corner-worse').count()).toBe(0);
    const heights = await page
      .locator('.grid-dense tr[aria-rowindex]')
      .evaluateAll((lines) => lines.map((line) => line.getBoundingClientRect().height));
    expect(new Set(heights)).toEqual(new Set([13]));
  });
});
