import { rm } from 'node:fs/promises';
import { insertEvidence, type SampleEvidence } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { accessibilityFindings, buildWebUi, startBrowser, untilLoaded, type OpenPage, type WebApp } from './web-app.js';

/** The web UI over the real controller and Postgres, with the evidence of some runs. */
export interface EvidenceApp {
  farm: TestFarm;
  evidence: SampleEvidence;
  /** A page that has everything it asks for at first. */
  open: WebApp['open'];
  close: () => Promise<void>;
}

export async function startEvidenceApp(runs: number): Promise<EvidenceApp> {
  const webDir = await buildWebUi();
  const farm = await TestFarm.start({ webDir });
  const evidence = await insertEvidence(farm.sql, runs);
  const browser = await startBrowser(farm.server.url);
  return {
    farm,
    evidence,
    async open(path, options) {
      const opened = await browser.open(path, options);
      await opened.page.locator('h1').waitFor();
      await untilLoaded(opened.page);
      return opened;
    },
    async close() {
      await browser.close();
      await farm.stop();
      await rm(webDir, { recursive: true, force: true });
    },
  };
}

/** No accessibility finding, no script error, no policy violation, nothing planted by a text from outside. */
export async function expectSound({ page, errors }: OpenPage): Promise<void> {
  expect(await page.title()).toMatch(/ · Peerlab$/);
  expect(await accessibilityFindings(page)).toEqual([]);
  expect(await page.evaluate('window.planted')).toBeUndefined();
  expect(errors).toEqual([]);
}

export const PHONE = { width: 390, height: 844 };

/** Nothing is wider than the screen. */
export async function expectNoOverflow(page: Page, name: string): Promise<void> {
  const widths = await page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]');
  expect({ name, widths }).toEqual({ name, widths: [PHONE.width, PHONE.width] });
}
