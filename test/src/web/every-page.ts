import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { accessibilityFindings, untilLoaded, type OpenPage, type WebApp } from './web-app.js';

/** Many elements take axe long on a busy computer. */
export const PATIENCE = { timeout: 120_000 };
const PHONE = { width: 390, height: 844 };

/**
 * Declares the tests that every page has to pass: sound in both themes, and not wider than a phone. `pages` has
 * their addresses by name, made when the app is there; `ready` waits for what comes after a page was loaded.
 */
export function checkEveryPage(
  open: WebApp['open'],
  pages: Record<string, () => string>,
  ready: Partial<Record<string, (page: Page) => Promise<unknown>>> = {},
): void {
  const openReady = async (name: string, options: Parameters<WebApp['open']>[1]): Promise<OpenPage> => {
    const opened = await open(pages[name]?.() ?? '', options);
    await opened.page.locator('h1').waitFor();
    await untilLoaded(opened.page);
    await ready[name]?.(opened.page);
    return opened;
  };
  describe.each(['light', 'dark'] as const)('every page in %s', (colorScheme) => {
    it.each(Object.keys(pages))(
      '%s has no accessibility finding, no script error, no policy violation and no part that failed',
      PATIENCE,
      async (name) => {
        await using opened = await openReady(name, { colorScheme });
        await expectSound(opened);
      },
    );
  });
  it('no page is wider than a phone', PATIENCE, async () => {
    for (const name of Object.keys(pages)) {
      await using opened = await openReady(name, { viewport: PHONE });
      const widths = await opened.page.evaluate(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      expect({ name, widths }).toEqual({ name, widths: [PHONE.width, PHONE.width] });
    }
  });
}

/** Nothing of what a page must not have; a text from outside that was taken for markup would have planted something. */
export async function expectSound({ page, errors }: OpenPage): Promise<void> {
  expect(await page.title()).toMatch(/ · Peerlab$/);
  expect(await accessibilityFindings(page)).toEqual([]);
  expect(await page.getByRole('alert').allTextContents()).toEqual([]);
  expect(await page.evaluate('window.planted')).toBeUndefined();
  expect(errors).toEqual([]);
}
