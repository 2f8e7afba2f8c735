import { rm } from 'node:fs/promises';
import { insertEvidence, type SampleEvidence } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { buildWebUi, startBrowser, untilLoaded, type WebApp } from './web-app.js';

/** The web UI over the real controller and Postgres, with the evidence of some runs. */
export interface EvidenceApp {
  farm: TestFarm;
  evidence: SampleEvidence;
  /** A page that has everything it asks for at first. */
  open: WebApp['open'];
  /** A page as soon as it is there: its calls may wait for a token. */
  openAtOnce: WebApp['open'];
  close: () => Promise<void>;
}

export async function startEvidenceApp(
  runs: number,
  settings: Parameters<typeof TestFarm.start>[0] = {},
): Promise<EvidenceApp> {
  const webDir = await buildWebUi();
  const farm = await TestFarm.start({ ...settings, webDir });
  const evidence = await insertEvidence(farm.sql, runs);
  const browser = await startBrowser(farm.server.url);
  return {
    farm,
    evidence,
    openAtOnce: browser.open,
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
