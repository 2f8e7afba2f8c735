import { requestOf, ROUTES, type Grid } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWebApp, type WebApp } from './web-app.js';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
});

describe('the whole grid at a glance', () => {
  const TESTS = 45;
  /** A grid with more tests, the last one planned only, of which one column is busy and another not yet tested. */
  const laptopGrid = async (): Promise<Grid> => {
    const answer = await fetch(app.url + requestOf('getGrid', { query: { cells: 'none' } }).path);
    const grid = ROUTES.getGrid.response.parse(await answer.json());
    const busy = {
      jobId: grid.columns[0]?.jobId ?? '',
      runId: app.farm.liveRun,
      runName: 'next take',
      state: 'running',
    };
    return ROUTES.getGrid.response.parse({
      ...grid,
      columns: grid.columns.map((column, at) =>
        at === 0 ? { ...column, busy } : at === 5 ? { ...column, state: 'queued', verdict: null } : column,
      ),
      rows: Array.from({ length: TESTS }, (_, row) => ({
        suite: row < 2 ? 'farm' : 'p2p-functional',
        test: `test_${row}`,
        verdicts: row === 3 ? 'PPFPP:' : row === TESTS - 1 ? ':....:' : 'PPPPP:',
      })),
      notes: [],
    });
  };
  const openGrid = async (path: string, options = {}) => {
    const grid = await laptopGrid();
    const opened = await app.open('/runs', { viewport: { width: 1366, height: 768 }, ...options });
    await opened.page.route('**/api/v1/grid?**', (route) => route.fulfill({ json: grid }));
    await opened.page.evaluate(
      `history.pushState(null, '', ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent('popstate'))`,
    );
    await opened.page.getByRole('grid').waitFor();
    return opened;
  };
  const place = '(({ line, column }) => [Number(line), Number(column)])(document.activeElement.dataset)';
  const shownNames = `[...document.querySelectorAll('th.test-name')].filter((name) => {
    const box = name.getBoundingClientRect();
    return box.top >= document.querySelector('thead').getBoundingClientRect().bottom && box.bottom <= innerHeight;
  }).map((name) => Math.round(name.getBoundingClientRect().top))`;

  it('shows forty tests on a laptop, without a second scrollbar; the evidence moves no line and follows the keys', async () => {
    await using opened = await openGrid('/');
    const { page } = opened;
    const before = await page.evaluate<number[]>(shownNames);
    expect(before.length).toBeGreaterThanOrEqual(40);
    expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0);
    // Nothing is selected: the first key leads in.
    await page.keyboard.press('j');
    expect(await page.evaluate(place)).toEqual([1, 1]);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByRole('heading', { name: 'test_1', exact: true }).waitFor();
    expect(await page.evaluate(shownNames)).toEqual(before);
    await page.keyboard.press('k');
    await page.keyboard.press('ArrowRight');
    await panel.getByRole('heading', { name: 'test_0', exact: true }).waitFor();
    expect(await page.evaluate(place)).toEqual([1, 2]);
    expect(new URL(page.url()).searchParams.get('cell')).toMatch(/^farm\/test_0@dma-alias@/);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('test_0');
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
  });

  it('has chips that filter, the rows that differ alone, what is pending and busy, and a way out of an empty filter', async () => {
    await using opened = await openGrid('/');
    const { page } = opened;
    const names = page.locator('tr[aria-rowindex] th.test-name');
    await page.getByRole('button', { name: '1 fail' }).click();
    await page.getByText('1 of 45 tests').waitFor();
    expect(await names.allTextContents()).toEqual(['test_3']);
    await page.getByRole('button', { name: /pending/ }).click();
    await page.getByText('45 of 45 tests').waitFor();
    expect(new URL(page.url()).searchParams.get('verdict')).toBe('fail,pending');
    await page.getByRole('button', { name: 'only rows that differ' }).click();
    await page.getByText('1 of 45 tests').waitFor();
    expect(await names.allTextContents()).toEqual(['test_3']);
    const pending = page
      .getByRole('row', { name: /^test_3/ })
      .getByRole('gridcell', { name: 'not reached yet: the job is queued' });
    expect(await pending.count()).toBe(1);
    const busy = page.getByRole('columnheader', { name: /busy: a later job is running, run next take/ });
    expect(await busy.count()).toBe(1);
    await page.getByLabel('Filter tests').fill('nowhere');
    await page.getByText('No test matches.').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await page.getByText('45 of 45 tests').waitFor();
    expect(page.url()).toBe(`${app.url}/`);
    expect(await page.getByLabel('Filter tests').inputValue()).toBe('');
    // Every popover closes by Escape, gives the focus back, and by a click elsewhere.
    for (const name of ['Legend', 'Appearance']) {
      const button = page.locator('summary', { hasText: name });
      await button.click();
      const box = page.locator('details[open] .menu-body');
      await box.waitFor();
      await page.keyboard.press('Escape');
      await box.waitFor({ state: 'hidden' });
      expect(await page.evaluate('document.activeElement.textContent')).toContain(name);
      await button.click();
      await box.waitFor();
      await page.locator('h1').click();
      await box.waitFor({ state: 'hidden' });
    }
  });

  it('lets a finger swipe from column to column, and its cells are large enough for one', async () => {
    await using opened = await openGrid('/', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const { page } = opened;
    const scroller = page.locator('.grid-scroll');
    await scroller.evaluate((frame) => frame.scrollTo({ left: 100 }));
    await expect.poll(() => scroller.evaluate((frame) => frame.scrollLeft)).toBe(128);
    const { width, height } = (await page.locator('td.cell').first().boundingBox()) ?? { width: 0, height: 0 };
    expect(Math.min(width, height)).toBeGreaterThanOrEqual(24);
  });
});
