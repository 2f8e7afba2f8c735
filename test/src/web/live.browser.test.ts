import { rm } from 'node:fs/promises';
import { ROUTES } from '@peerlab/contracts';
import { FakeAgent, sampleInventory } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_TOKEN, SampleFarm } from './sample-farm.js';
import { accessibilityFindings, buildWebUi, startBrowser, untilLoaded, type WebApp } from './web-app.js';

/** What a page does while things change: over the sample farm, and over the real controller that is restarted. */

type Browser = Pick<WebApp, 'open' | 'close'>;

let webDir: string;
let sample: SampleFarm;
let onSample: Browser;
let farm: TestFarm;
let onFarm: Browser;
beforeAll(async () => {
  webDir = await buildWebUi();
  sample = new SampleFarm(webDir);
  onSample = await startBrowser(await sample.start());
  farm = await TestFarm.start({ webDir });
  // So that it comes back at the same address.
  farm.settings.port = Number(new URL(farm.server.url).port);
  onFarm = await startBrowser(farm.server.url);
}, 180_000);
afterAll(async () => {
  await onFarm?.close();
  await farm?.stop();
  await onSample?.close();
  await sample?.stop();
  if (webDir !== undefined) await rm(webDir, { recursive: true, force: true });
});

const untilLive = (page: Page) => page.locator('.live-open').waitFor();
const untilPaused = (page: Page) => page.getByText('Live updates paused, retrying').waitFor();

/**
 * Paths of the API that the page asks for from now on. Not whether the controller is up: code that was asked for ahead of
 * its page while the controller was away comes after that question.
 */
function asked(page: Page): string[] {
  const paths: string[] = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/api/') && pathname !== ROUTES.health.path) paths.push(pathname);
  });
  return paths;
}

describe('a page whose controller goes away', () => {
  afterEach(() => sample.start());
  const attempt = () => {
    const found = sample.runs.get(sample.liveRun)?.jobViews[0]?.attempts[0];
    if (found === undefined) throw new Error('the live run has a build attempt');
    return found;
  };
  const topic = () => `run:${sample.liveRun}`;

  it('fetches nothing again when nothing changed, and once what did', async () => {
    await using opened = await onSample.open(`/runs/${sample.liveRun}`);
    const { page } = opened;
    await untilLive(page);
    await page.getByRole('heading', { name: 'Kernel builds' }).waitFor();
    const paths = asked(page);
    await sample.stop();
    await untilPaused(page);
    await page.getByText('the last message came').waitFor();
    await sample.start();
    await untilLive(page);
    await sample.stop();
    await untilPaused(page);
    attempt().progress = { percent: 55, text: 'while it was away', cached: false };
    sample.changed(topic());
    sample.changed('builds');
    await sample.start();
    await page.getByText('while it was away').waitFor();
    await untilLive(page);
    // One message more: whatever the first return had caused would have been asked for by now.
    attempt().progress = { percent: 56, text: 'after it was away', cached: false };
    sample.changed(topic());
    await page.getByText('after it was away').waitFor();
    expect(paths).toEqual([`/api/v1/runs/${sample.liveRun}`, `/api/v1/runs/${sample.liveRun}`]);
  });

  it('fetches all of it when the controller does not remember', async () => {
    await using opened = await onSample.open(`/runs/${sample.liveRun}`);
    const { page } = opened;
    await untilLive(page);
    await sample.stop();
    await untilPaused(page);
    attempt().progress = { percent: 57, text: 'long ago', cached: false };
    sample.live.forget();
    await sample.start();
    await page.getByText('long ago').waitFor();
  });

  it('asks again for what failed meanwhile', async () => {
    await using opened = await onSample.open('/runs');
    const { page } = opened;
    await untilLive(page);
    // The code of the page is there; only its data is missing.
    await page.getByRole('link', { name: /^my series/ }).click();
    await page.getByRole('heading', { name: 'Kernel builds' }).waitFor();
    await page.goBack();
    const link = page.getByRole('link', { name: 'dma_alias, before and after' });
    await link.waitFor();
    await sample.stop();
    await untilPaused(page);
    await link.click();
    await page.getByText('The controller does not answer').waitFor();
    await sample.start();
    await page.getByRole('heading', { name: 'Tests on hardware' }).waitFor();
  });
});

describe('a page whose code was not fetched yet', () => {
  it('opens once the controller is back, and the page before stays until then', async () => {
    await using opened = await onSample.open('/runs');
    const { page } = opened;
    await untilLive(page);
    await sample.stop();
    try {
      await untilPaused(page);
      const isTried = page.waitForEvent('requestfailed', (request) => request.url().endsWith(ROUTES.health.path));
      await page.getByRole('link', { name: 'Machines', exact: true }).click();
      await isTried;
      await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    } finally {
      await sample.start();
    }
    await page.getByRole('link', { name: 'v-switch' }).waitFor();
    expect(opened.errors).toEqual([]);
  });
});

describe('the machine page', () => {
  it('follows the serial log over a restart of the controller, pauses when scrolled, and leads to the line', async () => {
    const { manifest } = await farm.bundle('live');
    (await farm.agent({ m1: 'BUS_ADDR' })).vanish();
    const yaml = `name: watched\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    await using opened = await onFarm.open('/machines/m1');
    const { page } = opened;
    await page.getByText('Nothing has run on this machine yet.').waitFor();
    await untilLive(page);
    // Only now: on a busy computer one that is silent meanwhile is taken for lost.
    let agent = await farm.agent({ m1: 'BUS_ADDR' });
    await farm.call('submitRun', { body: { yaml } });
    const held = await agent.take('test');
    const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `console ${from + at}`);
    await agent.log(held, 'serial', 0, lines(0, 900));
    const tail = page.getByRole('region', { name: 'last lines of the serial log' });
    await tail.getByText('console 899', { exact: true }).waitFor();
    expect(await tail.locator('.log-row').count()).toBe(200);

    const now = page.getByRole('region', { name: 'Where it is' });
    const steps = now.getByRole('listitem');
    await now.getByText('Between two stages').waitFor();
    await agent.events(held, 0, { type: 'stage', stage: 'boot', status: 'started', detail: null });
    await now.getByText('In stage boot for').waitFor();
    await agent.log(held, 'agent', 0, ['flash: uploaded', 'boot: no answer within 42 s', 'power: resetting m1']);
    await steps.filter({ hasText: 'power: resetting m1' }).waitFor();
    expect(await steps.filter({ hasText: 'boot: no answer' }).count()).toBe(1);
    expect(await steps.filter({ hasText: 'flash: uploaded' }).count()).toBe(0);
    expect(await now.getByRole('link', { name: 'attempt 1' }).getAttribute('href')).toContain(held.attemptId);

    await farm.restart();
    await untilPaused(page);
    agent = await FakeAgent.connect(farm.server.url, await farm.token('agent', 'lab'), { machines: ['m1'] });
    const { participantId, fence } = held;
    await agent.hello([
      { participantId, fence, machine: 'm1', stage: 'test', state: 'running', nextSeq: { serial: 900 } },
    ]);
    await agent.log(held, 'serial', 900, lines(900, 1000));
    await tail.getByText('console 999', { exact: true }).waitFor();
    await untilLive(page);

    await tail.evaluate((frame) => frame.scrollBy(0, -900));
    const latest = page.getByRole('button', { name: 'Jump to latest' });
    await latest.waitFor();
    await agent.log(held, 'serial', 1000, lines(1000, 1050));
    await page.getByRole('button', { name: 'Jump to latest (50 new)' }).waitFor();
    expect(await tail.getByText('console 1049', { exact: true }).count()).toBe(0);
    await latest.click();
    await tail.getByText('console 1049', { exact: true }).waitFor();

    await tail.getByLabel('line 1045', { exact: true }).click();
    await page.locator('.log-marked').getByText('console 1044', { exact: true }).waitFor();
    expect(new URL(page.url()).searchParams.get('line')).toBe('1045');
    await page.goBack();

    await agent.events(held, 0, { type: 'finished', failure: null, restored: true, lineCounts: { serial: 1050 } });
    await page.getByText('last lines of').waitFor();
    await tail.getByText('console 1049', { exact: true }).waitFor();
    const table = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Took' }) });
    await table.getByRole('link', { name: 'watched' }).waitFor();
    expect(opened.errors).toEqual([]);
    agent.vanish();
  });

  it('shows what was different before, as soon as the agent says so', async () => {
    const agent = await farm.agent({ m9: 'BUS_ADDR' }, { name: 'other' });
    await using opened = await onFarm.open('/machines/m9');
    const { page } = opened;
    await page.getByText('the oldest stored inventory').waitFor();
    await untilLive(page);
    agent.inventory('m9', { ...sampleInventory('THRU_HOST_BRIDGE'), iommu: 'translated' });
    const drift = page.locator('.drift-items').first();
    await drift.getByText('IOMMU', { exact: true }).waitFor();
    await drift.getByText(/^peer path .* → /).waitFor();
    expect(await drift.getByText('translated').count()).toBe(1);
    agent.vanish();
  });
});

describe('pinning a run', () => {
  it('shows at once, and is undone when the controller refuses', async () => {
    await using opened = await onSample.open(`/runs/${sample.endedRun}#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    const pin = page.getByRole('button', { name: 'Pin', exact: true });
    await page.getByText('pinned by admin').waitFor();
    expect(await pin.getAttribute('title')).toMatch(
      /retention removes none of them\. Pinned by admin, .* \(for the paper\)/,
    );
    let refuse = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => {
      void page.route('**/pin', async (route) => {
        resolve();
        await new Promise<void>((go) => (refuse = go));
        await route.fulfill({ status: 500, body: 'no' });
      });
    });
    await pin.click();
    await isAsked;
    await page.getByText('pinned by admin').waitFor({ state: 'detached' });
    expect(await pin.getAttribute('aria-pressed')).toBe('false');
    refuse();
    await page.getByText('pinned by admin').waitFor();
    await page.getByRole('alert').getByText('The controller answered 500').waitFor();
    await page.unroute('**/pin');
    await pin.click();
    await page.getByText('pinned by admin').waitFor({ state: 'detached' });
    await page.getByRole('alert').waitFor({ state: 'detached' });
    expect(sample.runs.get(sample.endedRun)?.pin).toBeNull();
    await pin.click();
    await page.getByText('pinned by admin').waitFor();
  });
});

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  it('the machine page with a log and drift has no accessibility finding', async () => {
    await using opened = await onSample.open('/machines/v-switch', { colorScheme });
    const { page } = opened;
    await page.locator('.tail .log-row').first().waitFor();
    await page.locator('.drift-items').first().waitFor();
    await untilLoaded(page);
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(opened.errors).toEqual([]);
  });
});
