import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';

let app: EvidenceApp;
beforeAll(async () => {
  app = await startEvidenceApp(2, { publicReads: false });
});
afterAll(() => app?.close());

describe('the web UI of a farm whose reads need a token', () => {
  it('asks for it once, then shows all, stays live, and gives files to save', async () => {
    await using opened = await app.openAtOnce('/runs');
    const { page, errors } = opened;
    const dialog = page.getByRole('dialog', { name: 'Token needed' });
    await dialog.getByLabel('Token').fill(app.farm.userToken);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await page.locator('main table a').first().waitFor();
    await page.locator('.live-open').waitFor();
    const listed = page.waitForResponse((response) => response.url().includes('/api/v1/runs'));
    await app.farm.changed('runs');
    expect((await listed).status()).toBe(200);
    // The policy lets the page reach nothing but its own host; the live channel is on it.
    expect(errors).toEqual([]);
  });

  it('gives the raw log to save, which a bare link could not', async () => {
    const [attempt] = await app.farm.sql.rows<{ id: string }>(`select t.id from attempt t limit 1`);
    await using opened = await app.openAtOnce(
      `/attempts/${attempt?.id}?view=log&stream=test#token=${app.farm.userToken}`,
    );
    const { page, errors } = opened;
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Raw' }).click();
    expect((await download).suggestedFilename()).toBe(`${attempt?.id}-test.log`);
    // The browser fetched it itself, by a ticket.
    expect((await download).url()).toMatch(/\?ticket=[\w-]{32}$/);
    expect(await (await download).failure()).toBeNull();
    expect(errors).toEqual([]);
  });
});

describe('the web UI of a farm whose reads are open', () => {
  it('needs no token, and its live channel is within its policy', async () => {
    const open = await startEvidenceApp(1);
    try {
      await using opened = await open.open('/runs');
      await opened.page.locator('.live-open').waitFor();
      expect(opened.errors).toEqual([]);
    } finally {
      await open.close();
    }
  });
});
