import { createHash } from 'node:crypto';
import { requestOf, ROUTES, VERDICT_TABLE, VERDICTS, type Grid } from '@peerlab/contracts';
import type { BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from './every-page.js';
import { startWebApp, type OpenPage, type WebApp } from './web-app.js';

const COLUMNS = 120;
const TESTS = 400;

let app: WebApp;
let large: Grid;
beforeAll(async () => {
  app = await startWebApp();
  const answer = await fetch(app.url + requestOf('getGrid', { query: { cells: 'none' } }).path);
  large = enlarge(ROUTES.getGrid.response.parse(await answer.json()));
});
afterAll(() => app?.close());

/** As many columns and tests as a dense grid has, with every verdict there is. */
function enlarge(grid: Grid): Grid {
  const letters = [...VERDICTS.map((verdict) => VERDICT_TABLE[verdict].letter), '.'];
  const columns = Array.from({ length: COLUMNS }, (_, index) => {
    const column = grid.columns[index % grid.columns.length] ?? grid.columns[0];
    if (column === undefined) throw new Error('the sample farm has an empty grid');
    const hash = createHash('sha256').update(String(index)).digest('hex');
    return { ...column, combination: { ...column.combination, hash } };
  });
  const rows = Array.from({ length: TESTS }, (_, row) => ({
    suite: row < TESTS / 2 ? 'first' : 'second',
    test: `test_${row}`,
    verdicts: columns.map((_column, at) => letters[(row + at) % letters.length]).join(''),
  }));
  const metrics = grid.metrics.map((metric) => ({
    ...metric,
    values: columns.map((_column, at) => metric.values[at % metric.values.length] ?? null),
  }));
  return { ...grid, columns, rows, notes: [], metrics };
}

async function open(options: BrowserContextOptions = {}): Promise<OpenPage> {
  const opened = await app.open('/runs', options);
  await opened.page.route('**/api/v1/grid?**', (route) => route.fulfill({ json: large }));
  await opened.page.getByRole('link', { name: 'Grid', exact: true }).click();
  await opened.page.locator('table.grid-dense [data-line="3"][data-column="2"]').waitFor();
  return opened;
}

const activePlace = '(({ line, column }) => [Number(line), Number(column)])(document.activeElement.dataset)';

describe('a grid of 120 × 400', () => {
  it.each(['light', 'dark'] as const)('has no accessibility finding in %s, and names every verdict', async (scheme) => {
    // A small window: every element of a page is looked at.
    await using opened = await open({ colorScheme: scheme, viewport: { width: 900, height: 560 } });
    await expectSound(opened);
    const grid = opened.page.getByRole('grid');
    expect(await grid.getAttribute('aria-colcount')).toBe(String(COLUMNS + 1));
    expect(await grid.getAttribute('aria-rowcount')).toBe(String(TESTS + 2));
    const marks = VERDICTS.map((verdict) => VERDICT_TABLE[verdict]);
    for (const name of [...marks.map(({ letter, label }) => `${letter}, ${label}`), 'never run']) {
      expect(await grid.getByRole('gridcell', { name, exact: true }).count()).toBeGreaterThan(0);
    }
  });

  it('draws what is seen only, each cell below its column', async () => {
    await using opened = await open();
    const { page } = opened;
    expect(await page.locator('td.cell').count()).toBeLessThan((COLUMNS * TESTS) / 10);
    const offsets = await page.evaluate<number[]>(`[...document.querySelectorAll('.dense-builds th')].map((head) =>
      Math.abs(head.getBoundingClientRect().x - document.querySelector(
        '[data-line="1"][data-column="' + (Number(head.ariaColIndex) - 1) + '"]').getBoundingClientRect().x))`);
    expect(offsets.length).toBeGreaterThan(20);
    expect(Math.max(...offsets)).toBeLessThanOrEqual(1);
  });

  it('is never blank where it was scrolled to', async () => {
    await using opened = await open();
    const seen = await opened.page.evaluate<string[]>(`(async () => {
      const frame = document.querySelector('.grid-scroll');
      const box = frame.getBoundingClientRect();
      const found = [];
      for (const [x, y] of [[0.2, 0.3], [0.9, 0.9], [0.5, 0.1], [1, 1], [0, 0]]) {
        frame.scrollTo(x * frame.scrollWidth, y * frame.scrollHeight);
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const cell = document.elementFromPoint(box.x + box.width * 0.6, box.y + 300)?.closest('td');
        found.push(cell?.className ?? 'nothing');
      }
      return found;
    })()`);
    expect(seen).toHaveLength(5);
    for (const each of seen) expect(each).toMatch(/\bcell\b/);
  });

  it('is walked through by the keyboard, also where nothing is drawn yet', async () => {
    await using opened = await open();
    const { page } = opened;
    expect(await page.locator('.grid [tabindex="0"]').count()).toBe(1);
    await page.locator('.grid [tabindex="0"]').focus();
    await page.keyboard.press('Control+End');
    await page.locator(`[data-line="${TESTS + 1}"][data-column="${COLUMNS}"]:focus`).waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowUp');
    expect(await page.evaluate(activePlace)).toEqual([TESTS, COLUMNS - 1]);
    await page.keyboard.press('Control+Home');
    await page.locator('[data-line="0"][data-column="0"]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'test_1', exact: true }).waitFor({ state: 'detached' });
    await page.getByRole('rowheader', { name: 'test_200' }).waitFor();
  });
});
