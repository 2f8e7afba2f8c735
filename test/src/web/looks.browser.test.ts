import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWebApp, untilLoaded, type WebApp } from './web-app.js';

/**
 * How the main pages look, coarsely: each screenshot is shrunk until letters are grey and only layout, panels and
 * colours are left, and compared with the one that was committed. `PEERLAB_NEW_LOOKS=1` takes the new ones.
 */
const LOOKS = fileURLToPath(new URL('../../looks/', import.meta.url));
/** One pixel of a look stands for a square of so many of the screen. */
const SHRINK = 12;
const VIEW = { width: 1440, height: 900 };
/** Steps of 255 that a pixel may differ by: another digit in a time does not count. */
const STEP_MAX = 24;
/** Share of pixels that may differ by more. */
const SHARE_MAX = 0.01;

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(() => app?.close());

const paths = (): Record<string, string> => ({
  grid: '/',
  runs: '/runs',
  run: `/runs/${app.farm.endedRun}`,
  attempt: `/attempts/${app.farm.jobs[0]?.attempt.id}`,
  log: `/attempts/${app.farm.jobs[0]?.attempt.id}?view=log&stream=serial&line=701`,
  machines: '/machines',
  machine: '/machines/v-switch',
  submit: '/submit',
});

/** A shrunk screenshot as PNG, Base64. */
async function look(page: Page): Promise<string> {
  const shot = await page.screenshot({ animations: 'disabled', caret: 'hide' });
  const [width, height] = [VIEW.width / SHRINK, VIEW.height / SHRINK];
  return page.evaluate<string>(`(async () => {
    const bitmap = await createImageBitmap(await (await fetch(${JSON.stringify(dataUrl(shot.toString('base64')))})).blob());
    const canvas = new OffscreenCanvas(${width}, ${height});
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, ${width}, ${height});
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  })()`);
}

/** Share of the pixels that differ visibly. */
async function difference(page: Page, one: string, other: string): Promise<number> {
  return page.evaluate<number>(`(async () => {
    const pixels = async (url) => {
      const bitmap = await createImageBitmap(await (await fetch(url)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
    };
    const [a, b] = [await pixels(${JSON.stringify(dataUrl(one))}), await pixels(${JSON.stringify(dataUrl(other))})];
    let differing = 0;
    for (let at = 0; at < a.length; at += 4) {
      if ([0, 1, 2].some((channel) => Math.abs(a[at + channel] - b[at + channel]) > ${STEP_MAX})) differing += 1;
    }
    return differing / (a.length / 4);
  })()`);
}

const dataUrl = (base64: string): string => `data:image/png;base64,${base64}`;

/** With other fonts everything stands elsewhere, and nothing can be said. */
const fontWidth = (page: Page): Promise<number> =>
  page.evaluate<number>(`(() => {
    const context = document.createElement('canvas').getContext('2d');
    return ['400 14px ' + getComputedStyle(document.body).fontFamily, '400 12px monospace'].reduce((sum, font) => {
      context.font = font;
      return sum + context.measureText('Peerlab 0123456789 P2PDMA → BUS_ADDR').width;
    }, 0);
  })()`);

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  it.for(['grid', 'runs', 'run', 'attempt', 'log', 'machines', 'machine', 'submit'])(
    '%s looks as it did',
    async (name, { skip }) => {
      await using opened = await app.open(paths()[name] ?? '', { colorScheme, viewport: VIEW, bypassCSP: true });
      const { page } = opened;
      await page.locator('h1').waitFor();
      await untilLoaded(page);
      if (name === 'log') await page.locator('.log-marked').waitFor();
      if (name === 'submit') await page.getByText('6 jobs on 3 machines').waitFor();
      const now = await look(page);
      const file = join(LOOKS, `${name}-${colorScheme}.png`);
      const fonts = join(LOOKS, 'fonts.json');
      if (process.env['PEERLAB_NEW_LOOKS'] !== undefined) {
        await mkdir(LOOKS, { recursive: true });
        await writeFile(file, Buffer.from(now, 'base64'));
        await writeFile(fonts, `{ "width": ${await fontWidth(page)} }\n`);
        return;
      }
      const { width } = JSON.parse(await readFile(fonts, 'utf8')) as { width: number };
      skip(Math.abs(width - (await fontWidth(page))) > 0.01, 'the fonts of this computer are others');
      const share = await difference(page, (await readFile(file)).toString('base64'), now);
      const kept = join(tmpdir(), `peerlab-look-${name}-${colorScheme}.png`);
      if (share > SHARE_MAX) await page.screenshot({ path: kept });
      expect(share, `looks different: see ${kept}; PEERLAB_NEW_LOOKS=1 takes it as right`).toBeLessThanOrEqual(
        SHARE_MAX,
      );
    },
  );
});
