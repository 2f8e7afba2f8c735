import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityFindings, untilLoaded, type OpenPage, type WebApp } from './web-app.js';

const PHONE = { width: 390, height: 844 };

const WIDE = { width: 1440, height: 900 };

/** Just above the width below which tables are stacked, a tablet on its side, and a small notebook: in CSS pixels. */
const BETWEEN = [765, 1024, 1280];

/**
 * Declares the tests that every page has to pass: sound in both themes, and not wider than its window, on a phone too. `pages` has
 * their addresses by name, made when the app is there; `ready` waits for what comes after a page was loaded. A page is
 * loaded once; it follows theme and size while it is shown. One tab loads all of them, so that the browser starts one
 * process and compiles the scripts of the pages and of axe once.
 */
export function checkEveryPage(
  open: WebApp['open'],
  pages: Record<string, () => string>,
  ready: Partial<Record<string, (page: Page) => Promise<unknown>>> = {},
): void {
  let tab: OpenPage | null = null;
  afterAll(() => tab?.[Symbol.asyncDispose]());

  describe.each(Object.keys(pages))('the page %s', (name) => {
    let opened: OpenPage;
    /** The page as it is drawn in this theme and size. */
    const shown = async (colorScheme: 'light' | 'dark', viewport: typeof WIDE): Promise<OpenPage> => {
      const { page } = opened;
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
      await ready[name]?.(page);
      return opened;
    };
    beforeAll(async () => {
      const path = pages[name]?.() ?? '';
      if (tab === null) tab = await open(path, { colorScheme: 'light', viewport: WIDE });
      else await loadAfresh(tab, path);
      opened = tab;
      await opened.page.locator('h1').waitFor();
      await untilLoaded(opened.page);
    });

    it.each(['light', 'dark'] as const)(
      'has no accessibility finding in %s, no script error, no policy violation and no part that failed',
      async (colorScheme) => {
        await expectSound(await shown(colorScheme, WIDE));
        expect(await widths(opened.page)).toEqual([WIDE.width, WIDE.width]);
        await picture(opened.page, `${name}-${colorScheme}`);
      },
    );

    it('is not wider than its window between a phone and a screen', async () => {
      const found: unknown[] = [];
      for (const width of BETWEEN) {
        const { page } = await shown('light', { width, height: 900 });
        if (width === BETWEEN[0]) await picture(page, `${name}-${width}`);
        found.push(await widths(page));
      }
      expect(found).toEqual(BETWEEN.map((width) => [width, width]));
    });

    it('is not wider than a phone', async () => {
      const { page } = await shown('light', PHONE);
      await picture(page, `${name}-phone`);
      expect(await widths(page)).toEqual([PHONE.width, PHONE.width]);
      expect(await page.evaluate(BROKEN_LABELS)).toEqual([]);
    });
  });
}

/** Another page of the same origin in this tab, as a new visitor has it: nothing stored, and no error so far. */
async function loadAfresh({ page, errors }: OpenPage, path: string): Promise<void> {
  const { origin } = new URL(page.url());
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(WIDE);
  await page.evaluate('localStorage.clear(); sessionStorage.clear()');
  await page.context().clearCookies();
  errors.length = 0;
  // No response where only the fragment differs: the page was not loaded then.
  if ((await page.goto(origin + path)) === null) await page.reload();
}

/** Labels before values whose word does not fit beside them and breaks; names from outside are not words. */
const BROKEN_LABELS = `(() => {
  const context = document.createElement('canvas').getContext('2d');
  const stacked = [...document.querySelectorAll('td[data-label]')].filter((cell) => getComputedStyle(cell).display === 'grid');
  const cells = stacked.flatMap((cell) => {
    context.font = getComputedStyle(cell, '::before').font;
    const room = parseFloat(getComputedStyle(cell).gridTemplateColumns);
    const words = cell.dataset.label.split(' ').filter((word) => /^[A-Z]?[a-z]+$/.test(word));
    return words.filter((word) => context.measureText(word).width > room);
  });
  const terms = [...document.querySelectorAll('dt')].flatMap((term) => {
    const [text] = term.childNodes;
    if (text === undefined || text.nodeType !== 3) return [];
    return [...text.data.matchAll(/[A-Za-z]+/g)].flatMap((word) => {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      return range.getClientRects().length > 1 ? [word[0]] : [];
    });
  });
  return [...new Set([...cells, ...terms])];
})()`;

/** Widths in CSS pixels of what the page holds and of its window. */
const widths = (page: Page): Promise<unknown> =>
  page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]');

/** A screenshot of the whole page for people, in the folder that PEERLAB_PICTURES names; nothing without it. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env['PEERLAB_PICTURES'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name.replaceAll(' ', '-')}.png`), fullPage: true });
}

/** Nothing of what a page must not have; a text from outside that was taken for markup would have planted something. */
export async function expectSound({ page, errors }: OpenPage): Promise<void> {
  expect(await page.title()).toMatch(/ · Peerlab$/);
  expect(await accessibilityFindings(page)).toEqual([]);
  expect(await page.getByRole('alert').allTextContents()).toEqual([]);
  expect(await page.evaluate('window.planted')).toBeUndefined();
  expect(errors).toEqual([]);
}
