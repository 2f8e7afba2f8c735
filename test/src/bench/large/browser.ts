import type { Page } from 'playwright-core';
import { launchBrowser } from '../../web/browser.js';
import { median, percentile } from '../measure.js';
import type { Landmarks } from './seed.js';

/** What a person waits for, in a real browser on this computer. Milliseconds. */
export interface BrowserTime {
  what: string;
  p50Ms: number;
  p95Ms: number;
  n: number;
}

const OPENINGS = 5;
const STROKES = 20;
const FRAMES = 90;

/** Opens the grid and a log of a large farm, types and scrolls in them. */
export async function measureBrowser(url: string, at: Landmarks, logLines: number): Promise<BrowserTime[]> {
  const middle = Math.floor(logLines / 2);
  const browser = await launchBrowser({ measured: true });
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const grid = await openings(page, url, '[data-line="3"][data-column="2"]');
    const log = `${url}/attempts/${at.logAttemptId}?view=log&stream=test&line=${middle}`;
    await page.goto(url);
    await page.locator('[data-line="3"][data-column="2"]').waitFor();
    const keys = await strokes(page);
    const gridFrames = await scrollFrames(page, '.grid-scroll');
    const opened = await openings(page, log, `[data-seq="${middle - 1}"]`);
    const logFrames = await scrollFrames(page, '.log-frame');
    return [
      time('grid: first cells drawn', grid),
      time('grid: an arrow key until the next frame', keys),
      time('grid: a frame while it scrolls', gridFrames),
      time(`log: line ${middle} of ${logLines} drawn`, opened),
      time('log: a frame while it scrolls', logFrames),
    ];
  } finally {
    await browser.close();
  }
}

const time = (what: string, all: readonly number[]): BrowserTime => ({
  what,
  p50Ms: median(all),
  p95Ms: percentile(all, 0.95),
  n: all.length,
});

/** From the navigation until the element is there, by the page's own clock. */
async function openings(page: Page, url: string, selector: string): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < OPENINGS; index += 1) {
    await page.goto('about:blank');
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator(selector).first().waitFor();
    all.push(await page.evaluate<number>('performance.now()'));
  }
  return all;
}

/** Notes how long after a key the next frame is drawn. */
const WATCH_STROKE = `globalThis.stroke = new Promise((done) => addEventListener('keydown',
  (event) => requestAnimationFrame(() => done(performance.now() - event.timeStamp)), { once: true, capture: true }));
  void 0`;

async function strokes(page: Page): Promise<number[]> {
  await page.locator('[data-line="3"][data-column="2"]').focus();
  const all: number[] = [];
  for (let index = 0; index < STROKES; index += 1) {
    await page.evaluate(WATCH_STROKE);
    await page.keyboard.press(index % 2 === 0 ? 'ArrowDown' : 'ArrowRight');
    all.push(await page.evaluate<number>('globalThis.stroke'));
  }
  return all;
}

/** How long each frame takes while the element scrolls by two screens a second. */
async function scrollFrames(page: Page, selector: string): Promise<number[]> {
  return page.evaluate<number[]>(`new Promise((done, fail) => {
    const element = document.querySelector(${JSON.stringify(selector)});
    if (element === null) return fail(new Error('there is nothing to scroll'));
    const all = [];
    let before = performance.now();
    const step = () => {
      const now = performance.now();
      all.push(now - before);
      before = now;
      element.scrollTop += 30;
      if (all.length <= ${FRAMES}) requestAnimationFrame(step);
      else done(all.slice(1));
    };
    requestAnimationFrame(step);
  })`);
}
