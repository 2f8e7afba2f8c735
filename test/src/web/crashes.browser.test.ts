import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkEveryPage } from './every-page.js';
import { startWebApp, type WebApp } from './web-app.js';

const KEY = '5f2b8a1c9d3e4f60718293a4b5c6d7e8';
const HOSTILE = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const TITLE = 'KASAN: slab-use-after-free Read in p2pvram_migrate_to_ram';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
});

const crashed = (): string => {
  const job = app.farm.jobs.find(({ attempt }) => attempt.results.some(({ verdict }) => verdict === 'crash'));
  if (job === undefined) throw new Error('the sample farm has a crash');
  return `/attempts/${job.attempt.id}`;
};

checkEveryPage((path, options) => app.open(path, options), {
  crashes: () => '/crashes',
  'no crash': () => '/crashes?q=lockdep',
  crash: () => `/crashes/${KEY}`,
  'hostile title': () => `/crashes/${HOSTILE}`,
  'crashed attempt': crashed,
});

describe('crashes', () => {
  it('lead from the attempt over its lines to all that is known of them', async () => {
    await using opened = await app.open(crashed());
    const { page } = opened;
    const section = page.getByRole('region', { name: 'Reported by the kernel' });
    await section.getByRole('link', { name: 'serial 701–743' }).click();
    await page.locator('.log-marked').first().waitFor();
    expect(page.url()).toContain('line=701&to=743');
    await page.goBack();
    expect(await section.getByText('new', { exact: true }).count()).toBe(1);
    await section.getByRole('link', { name: TITLE }).click();
    await page.getByRole('heading', { name: TITLE }).waitFor();
    await page.getByText('Seen 14 times on 3 combinations and 2 kernels since build').waitFor();
    expect(await page.getByRole('columnheader', { name: 'Last good' }).count()).toBe(1);
    await page.getByText('In the source', { exact: false }).click();
    await page.getByText('p2pvram_page drivers/gpu/p2pvram/page.h:41 (inlined)', { exact: false }).waitFor();
    const line = page.getByRole('link', { name: 'drivers/gpu/p2pvram/page.h:41' });
    await line.waitFor();
    const commit = 'a257'.padEnd(40, '9');
    const address = `https://git.example.org/linux/-/blob/${commit}/drivers/gpu/p2pvram/page.h#L41`;
    expect(await line.getAttribute('href')).toBe(address);
    expect(await line.getAttribute('rel')).toBe('noreferrer');
    // The series changes it: the line is another one in the commit.
    await page.getByText('migrate.c:212').waitFor();
    expect(await page.getByRole('link', { name: 'migrate.c:212' }).count()).toBe(0);
    await page.getByText('Report for a mailing list').click();
    await page.getByText(`[BUG] ${TITLE}`).waitFor();
    await page.getByRole('button', { name: 'Copy the report with its subject' }).click();
    await page.getByText('copied').waitFor();
    expect(opened.errors).toEqual([]);
  });

  it('are filtered in the address, opened by key, and found in the palette', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    await page.locator('h1').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('k');
    await page.getByRole('link', { name: TITLE }).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(2);
    await page.keyboard.press('/');
    await page.keyboard.type('kasan');
    await page.waitForFunction('document.querySelectorAll("tbody tr").length === 1');
    expect(page.url()).toContain('q=kasan');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('slab-use-after');
    await page.getByRole('option', { name: TITLE }).click();
    await page.getByRole('heading', { name: TITLE }).waitFor();
    expect(page.url()).toContain(`/crashes/${KEY}`);
    expect(opened.errors).toEqual([]);
  });
});
