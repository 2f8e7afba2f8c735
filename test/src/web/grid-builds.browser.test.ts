import { insertKernels, type SampleEvidence } from '@peerlab/controller/testing';
import type { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoOverflow, expectSound, PHONE, startEvidenceApp, type EvidenceApp } from './evidence-app.js';

/** The grid by kernel build, flakiness and metrics in cells over the real controller and Postgres. */

const RUNS = 8;
/** Many elements take axe long on a busy computer. */
const PATIENCE_MS = 120_000;

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
const pages = (): Record<string, string> => ({
  'by builds': `${BY_BUILDS}&combination=${on('THRU_HOST_BRIDGE')}`,
  'all combinations with a cell open': `${BY_BUILDS}&combination=all&cell=${encodeURIComponent(cellOf('fork_while_mapped'))}`,
  'by flakiness': `${BY_BUILDS}&combination=${on('NOT_SUPPORTED')}&sort=flakiness`,
  'a combination without kernels': `${BY_BUILDS}&combination=${'0'.repeat(64)}`,
  'metrics in the cells': `/?run=${evidence.runs.at(-1)}&show=metric`,
});
/** The names, which the tests need before there is evidence. */
const PAGES = [
  'by builds',
  'all combinations with a cell open',
  'by flakiness',
  'a combination without kernels',
  'metrics in the cells',
];

/** Name of a cell in the address, of the newest kernel of the series unless told otherwise. */
function cellOf(test: string, release = '7.3.4-dma-alias-v4'): string {
  return `p2p-functional/${test}@${kernels[release]}`;
}

const open: EvidenceApp['open'] = (path, options) => app.open(path, options);
const searchOf = (url: string): Record<string, string> => Object.fromEntries(new URL(url).searchParams);

describe.each(['light', 'dark'] as const)('every page in %s', (colorScheme) => {
  it.each(PAGES)(
    '%s has no accessibility finding, no script error and no policy violation',
    { timeout: PATIENCE_MS },
    async (name) => {
      await using opened = await open(pages()[name] ?? '', { colorScheme });
      await opened.page.locator(name === 'a combination without kernels' ? '.empty' : 'table.grid').waitFor();
      await expectSound(opened);
    },
  );
});

describe('on a phone', () => {
  it('no page is wider than the screen', { timeout: PATIENCE_MS }, async () => {
    expect(Object.keys(pages())).toEqual(PAGES);
    for (const [name, path] of Object.entries(pages())) {
      await using opened = await open(path, { viewport: PHONE });
      await expectNoOverflow(opened.page, name);
    }
  });
});

describe('a link', () => {
  it('that is broken still opens', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=zz&sort=worst&show=3d&cell=nowhere`);
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
    expect(await panel.getByRole('link', { name: 'dma-alias', exact: true }).getAttribute('href')).toMatch(
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
    expect(await row.locator('td.cell .verdict').allTextContents()).toEqual([
      '✓Ppass',
      '✓Ppass',
      '✗Ffail',
      '✗Ffail',
      '✓Ppass',
    ]);
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
      .first();
    await cell.locator('.verdict-crash').waitFor();
    expect(searchOf(page.url())).toEqual({ by: 'builds', combination: 'all' });
    expect(await cell.getAttribute('title')).toContain('1 of 3 combinations says so');
    await cell.click();
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText('1 of 3 combinations says so; the worst is shown').waitFor();
    expect(await panel.locator('a.neighbour .verdict').allTextContents()).toEqual(['✸Xcrash', '✓Ppass', '✓Ppass']);
    await chooser.selectOption(on('NOT_SUPPORTED'));
    await page
      .getByRole('row', { name: /^fork_while_mapped/ })
      .locator('.verdict-crash')
      .waitFor({ state: 'detached' });
    expect(searchOf(page.url())).toEqual({ by: 'builds', combination: on('NOT_SUPPORTED') });
    await page.goBack();
    await cell.locator('.verdict-crash').waitFor();
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
  it('follows new results without a reload', async () => {
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}`);
    const { page } = opened;
    await page.getByText('live', { exact: true }).waitFor();
    const cell = page
      .getByRole('row', { name: /^alias_read/ })
      .locator('td.cell')
      .first();
    await cell.locator('.verdict-pass').waitFor();
    const attempt = evidence.attempt(7, 'dma-alias', 'BUS_ADDR');
    await farm.sql.run(
      `update result set verdict = 'tainted', reason = 'WARNING: mm/hmm.c' where attempt_id = $1 and test = 'alias_read'`,
      [attempt],
    );
    await farm.sql.run('delete from attempt_verdicts where attempt_id = $1', [attempt]);
    await farm.changed('grid');
    await cell.locator('.verdict-tainted').waitFor();
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
    const better = row.locator('td.cell', { hasText: '× better' }).first();
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

  it('are the newest thirty, upright, still one tab stop, and it is said how many are left out', async () => {
    await insertKernels(farm.sql, { kernels: MANY, runs: 1, tests: 1, newer: false });
    await using opened = await open(`${BY_BUILDS}&combination=${on('BUS_ADDR')}`);
    const { page } = opened;
    // Five kernels of the story are newer.
    await page.getByText(`The newest 30 kernels; ${MANY + 5 - 30} older ones have results`).waitFor();
    const grid = page.getByRole('grid');
    expect(await grid.locator('.kernel-box').count()).toBe(30);
    expect(await grid.locator('thead a:not([tabindex="-1"])').count()).toBe(0);
    await grid.locator('[tabindex="0"]').focus();
    await page.keyboard.press('End');
    expect(await page.evaluate('document.activeElement.dataset.column')).toBe('30');
  });
});
