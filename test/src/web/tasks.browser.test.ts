import { insertBoots, insertTwins, moveRun } from '@peerlab/controller/testing';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { checkEveryPage } from './every-page.js';
import { SAMPLE_TOKEN } from './sample-farm.js';
import { startWebApp, type OpenPage, type WebApp } from './web-app.js';

/** What people come for: each question is answered on one page, after two clicks at most. */

/** Clicks of the pointer, and changes of the page, since this was called. */
async function counted(page: Page): Promise<() => Promise<{ clicks: number; pages: number }>> {
  await page.evaluate(`{
    const counts = (window.counts = { clicks: 0, paths: new Set([location.pathname]) });
    addEventListener('click', ({ isTrusted }) => { if (isTrusted) counts.clicks += 1; }, true);
    setInterval(() => counts.paths.add(location.pathname), 20);
  }`);
  return () => page.evaluate(`(({ clicks, paths }) => ({ clicks, pages: paths.size - 1 }))(window.counts)`);
}

describe('on the sample farm', () => {
  let app: WebApp;
  beforeAll(async () => {
    app = await startWebApp();
  });
  afterAll(() => app?.close());

  const asked = async (path: string): Promise<OpenPage & { count: Awaited<ReturnType<typeof counted>> }> => {
    const opened = await app.open(path);
    await opened.page.locator('h1').waitFor();
    return { ...opened, count: await counted(opened.page) };
  };

  it('why was it skipped: a click on the cell', async () => {
    await using opened = await asked('/');
    const { page, count } = opened;
    await page
      .getByRole('row', { name: /^alias_write/ })
      .locator('td.verdict-skip')
      .first()
      .click();
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText('this kernel lacks dma_alias (CONFIG_HMM_DMA_ALIAS is not set)').waitFor();
    expect(await count()).toEqual({ clicks: 1, pages: 0 });
  });

  it('which test was slowest: a click on the run', async () => {
    await using opened = await asked('/runs');
    const { page, count } = opened;
    await page.getByRole('link', { name: 'dma_alias, before and after' }).click();
    const slowest = page.getByRole('region', { name: 'Slowest tests' }).getByRole('listitem').first();
    await slowest.getByText('252 ms').waitFor();
    expect(await slowest.textContent()).toContain('p2p-functional/host_oracle_agrees');
    expect(await count()).toEqual({ clicks: 1, pages: 1 });
  });

  it('has this failed before: a click on the cell', async () => {
    await using opened = await asked('/');
    const { page, count } = opened;
    await page.locator('td.cell.verdict-fail').click();
    await page.getByRole('complementary', { name: 'Evidence' }).getByText('Seen 3 times before this run').waitFor();
    expect(await count()).toEqual({ clicks: 1, pages: 0 });
  });

  it('who drained it: it stands in the list of machines', async () => {
    const change = { desired: 'drained', reason: 'a new riser' };
    await fetch(`${app.url}/api/v1/machines/v-switch`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${SAMPLE_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(change),
    });
    await using opened = await asked('/');
    const { page, count } = opened;
    await page.getByRole('link', { name: 'Machines', exact: true }).click();
    await page.getByText('drained by admin just now: a new riser').waitFor();
    expect(await count()).toEqual({ clicks: 1, pages: 1 });
  });
});

describe('on stored evidence', () => {
  let app: EvidenceApp;
  let names: [string, string, string];
  beforeAll(async () => {
    app = await startEvidenceApp(2);
    await insertBoots(app.farm.sql, 1, 'THRU_HOST_BRIDGE', 5);
    names = await insertTwins(app.farm.sql, app.evidence, 1, 'BUS_ADDR');
    await moveRun(app.farm.sql, app.evidence, 0, 'THRU_HOST_BRIDGE');
  }, 180_000);
  afterAll(() => app?.close());

  const asked = async (path: string): Promise<OpenPage & { count: Awaited<ReturnType<typeof counted>> }> => {
    const opened = await app.open(path);
    await opened.page.locator('h1').waitFor();
    return { ...opened, count: await counted(opened.page) };
  };

  checkEveryPage((path, options) => app.open(path, options), {
    'compare machines': () => '/compare/machines',
    'compare builds by machine': () => `/compare?a=${app.evidence.runs[1]}&machines=each`,
    'grid by machine': () => '/?machines=each',
    'grid of many boots': () => '/',
    'compare no machines': () => `/compare/machines?combination=${'0'.repeat(64)}`,
  });

  it('is this 3 % real: a click on the run, and one on the comparison', async () => {
    await using opened = await asked('/runs');
    const { page, count } = opened;
    await page.getByRole('link', { name: 'dma_alias, take 2' }).click();
    await page.getByRole('link', { name: 'Compare builds' }).click();
    const rows = page.getByRole('region', { name: 'Metrics' }).getByRole('row');
    const small = rows.filter({ hasText: 'fault_map_ram' }).filter({ hasText: 'THRU_HOST_BRIDGE' });
    await small.getByText('no clear change').waitFor();
    expect(await small.textContent()).toMatch(/within the noise; a change of [\d.]+ % would count/);
    expect((await count()).clicks).toBe(2);
  });

  it('what differs between these two kinds of machines: a click on each column', async () => {
    await using opened = await asked(`/?run=${app.evidence.runs[1]}`);
    const { page, count } = opened;
    await page.getByRole('button', { name: /compare hardware .*BUS_ADDR/ }).click();
    await page.getByTitle(/compare the chosen hardware with .*NOT_SUPPORTED/).click();
    await page.getByRole('region', { name: 'Hardware' }).getByText('peer path').waitFor();
    expect(await count()).toEqual({ clicks: 2, pages: 1 });
  });

  it('what differs between machines with the same hardware: the one that stands out is named', async () => {
    await using opened = await asked('/');
    const { page, count } = opened;
    await page.getByRole('link', { name: 'Compare', exact: true }).click();
    await page.getByRole('link', { name: 'machines', exact: true }).click();
    const metrics = page.getByRole('region', { name: 'Metrics' });
    await metrics.getByText(`${names[2]} is worse`).first().waitFor();
    expect((await count()).clicks).toBe(2);
    await page.getByRole('combobox', { name: 'Kernel' }).selectOption({ label: 'dma-alias · 7.3.4-dma-alias-v1' });
    const tests = page.getByRole('region', { name: 'Tests on which they do not agree' });
    await tests.getByText('byte 0 differs').waitFor();
    await metrics.getByText('Emulation: ratios only.').waitFor();
    expect(opened.errors).toEqual([]);
  });

  it('a machine says on its page whether it stands out among those with its hardware', async () => {
    await using opened = await asked(`/machines/${names[2]}`);
    const { page } = opened;
    const section = page.getByRole('region', { name: 'Machines with the same hardware' });
    await section
      .getByText(/It stands out in 1 of 3 metrics: fault_map_ram worse, 1\.[23]\d?× of the others/)
      .waitFor();
    expect(await section.getByRole('link', { name: names[0], exact: true }).count()).toBe(1);
    await section.getByRole('link', { name: 'Compare these machines' }).click();
    await page.getByRole('heading', { name: 'Compare machines', level: 1 }).waitFor();
    await page.goto(`${app.farm.server.url}/machines/${names[1]}`);
    await section.getByText('It does not stand out in any of 3 metrics.').waitFor();
    await page.goto(`${app.farm.server.url}/machines/${app.evidence.hardware.NOT_SUPPORTED.machine}`);
    await page.getByRole('heading', { name: 'PCIe tree' }).waitFor();
    expect(await section.count()).toBe(0);
  });

  it('the grid has a column for each machine on request, and its cells have names of their own', async () => {
    await using opened = await asked('/');
    const { page } = opened;
    const columns = page.getByText(/ tests × \d+ columns/);
    await columns.waitFor();
    const [, together] = /× (\d+)/.exec((await columns.textContent()) ?? '') ?? [];
    await page.getByRole('button', { name: 'a column for each machine' }).click();
    await page.getByText(`× ${Number(together) + 2} columns`).waitFor();
    expect(new URL(page.url()).searchParams.get('machines')).toBe('each');
    await page
      .getByRole('row', { name: /^thp_alias/ })
      .locator('td.cell.verdict-fail')
      .first()
      .click();
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText(`It fails on ${names[2]} alone`).waitFor();
    expect(new URL(page.url()).searchParams.get('cell')).toContain(`~${names[2]}`);
    await page.reload();
    await panel.getByText(`It fails on ${names[2]} alone`).waitFor();
    expect(opened.errors).toEqual([]);
  });

  it('a comparison of builds tells machines apart on request', async () => {
    await using opened = await asked(`/compare?a=${app.evidence.runs[1]}`);
    const { page } = opened;
    const rows = page.getByRole('region', { name: 'By combination' }).getByRole('row');
    await expect.poll(() => rows.count()).toBe(4);
    await page.getByLabel('by machine').check();
    await expect.poll(() => rows.count()).toBe(6);
    await page
      .getByRole('row', { name: new RegExp(`thp_alias.*${names[2]}`) })
      .getByText('regressed')
      .waitFor();
    expect(new URL(page.url()).searchParams.get('machines')).toBe('each');
  });
});
