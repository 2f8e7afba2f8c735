import { insertBoots, insertSizes } from '@peerlab/controller/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { checkEveryPage } from './every-page.js';

/** Metrics by message size on the page of a comparison. */

let app: EvidenceApp;
let path = '';
beforeAll(async () => {
  app = await startEvidenceApp(2);
  const { farm, evidence } = app;
  await insertSizes(farm.sql, await insertBoots(farm.sql, 1, 'BUS_ADDR', 5));
  path = `/compare?a=${evidence.runs[1] ?? ''}&on=${evidence.hardware.BUS_ADDR.combination}`;
}, 180_000);
afterAll(() => app?.close());

const open: EvidenceApp['open'] = (at, options) => app.open(at, options);

checkEveryPage(open, { 'compare with message sizes': () => path });

it('a series has a chart over sizes, a row for each with its verdict, and texts to copy', async () => {
  await using opened = await open(path);
  const { page } = opened;
  const sizes = page.getByRole('region', { name: 'By message size' });
  await sizes.getByRole('img', { name: /ib_write_bw\.odp\.average on .* over message size/ }).waitFor();
  await sizes.getByText('Emulation: ratios only.').waitFor();
  const rows = sizes.getByRole('row');
  await expect.poll(() => rows.count()).toBe(6);
  await expect.poll(() => rows.nth(4).innerText()).toMatch(/64 KiB[\s\S]*261[\s\S]*522[\s\S]*2\.00×[\s\S]*better/);
  // The clipboard of a browser without a window is not to be read: what is copied becomes the title instead.
  await page.evaluate(
    `Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => void (document.title = text) } })`,
  );
  await sizes.getByRole('button', { name: /as CSV/ }).click();
  await expect.poll(() => page.title()).toMatch(/^suite,series,unit/);
  await sizes.getByRole('button', { name: /as Markdown/ }).click();
  await expect.poll(() => page.title()).toMatch(/by message size/);
});
