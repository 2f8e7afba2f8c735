import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkEveryPage } from './every-page.js';
import { SAMPLE_TOKEN } from './sample-farm.js';
import { accessibilityFindings, startWebApp, untilLoaded, type WebApp } from './web-app.js';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
});

const firstJob = () => {
  const [job] = app.farm.jobs;
  if (job === undefined) throw new Error('the sample farm has jobs');
  return job;
};
checkEveryPage(
  (path, options) => app.open(path, options),
  {
    grid: () => '/',
    cell: () =>
      `/?cell=${encodeURIComponent(`p2p-functional/thp_alias@dma-alias@${app.farm.jobs[3]?.attempt.combination?.hash.slice(0, 8)}`)}`,
    kernels: () => '/?by=builds&combination=all&sort=flakiness',
    'kernels with metrics': () => '/?by=builds&show=metric',
    runs: () => '/runs',
    run: () => `/runs/${app.farm.endedRun}`,
    'live run': () => `/runs/${app.farm.liveRun}`,
    attempt: () => `/attempts/${firstJob().attempt.id}`,
    'attempt whose path is not predicted': () => {
      const found = app.farm.jobs.find(({ attempt }) => attempt.participants[0]?.prediction != null);
      if (found === undefined) throw new Error('the sample farm has a prediction');
      return `/attempts/${found.attempt.id}`;
    },
    log: () => `/attempts/${firstJob().attempt.id}?view=log&stream=serial&line=701`,
    'log of all streams': () =>
      `/attempts/${firstJob().attempt.id}?view=log&stream=all&q=alias&regex=on&time=on&wrap=on`,
    'files of an attempt': () => `/attempts/${firstJob().attempt.id}?view=files`,
    machines: () => '/machines',
    machine: () => '/machines/v-switch',
    submit: () => '/submit',
    'not found': () => '/nowhere/at/all',
  },
  {
    'kernels with metrics': (page) => page.locator('tbody.metrics').waitFor(),
    log: (page) => page.locator('.log-marked').waitFor(),
    'log of all streams': (page) => page.locator('.log-row').first().waitFor(),
    submit: (page) => page.getByText('6 jobs on 3 machines').waitFor(),
  },
);

it.each(['light', 'dark'] as const)(
  'a machine has what people checked on its page, with the remedies (%s)',
  async (colorScheme) => {
    await using opened = await app.open('/machines/v-switch', { colorScheme });
    const { page } = opened;
    const checks = page.getByRole('region', { name: 'What the farm needs of it' });
    await checks.getByRole('heading', { name: 'Tried on the machine' }).waitFor();
    await checks.getByText('2 of 3 pass, by alice').waitFor();
    await checks.getByText('look at the selection of the boot loader: it is not cleared at boot').waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(await page.evaluate('window.planted')).toBeUndefined();
    expect(opened.errors).toEqual([]);
  },
);

describe('text from outside', () => {
  it('stays text in names, reasons and logs', async () => {
    const { attempt } = firstJob();
    app.farm.pushLines(attempt.id, 'agent', [
      '<img src=x onerror="window.planted=1">',
      '\u001b[31m<script>window.planted=1</script>\u001b[0m',
      '\u001b]8;;javascript:window.planted=1\u0007click\u001b]8;;\u0007',
    ]);
    for (const path of [
      `/attempts/${attempt.id}?view=log&stream=agent`,
      `/attempts/${app.farm.jobs[3]?.attempt.id}`,
      `/runs/${app.farm.liveRun}`,
      '/runs',
      '/?q=%3Cimg%20src%3Dx%20onerror%3D%22window.planted%3D1%22%3E(',
    ]) {
      await using opened = await app.open(path);
      const { page, errors } = opened;
      await page.locator('h1').waitFor();
      await untilLoaded(page);
      if (path.includes('stream=agent')) {
        await page.getByText('<script>window.planted=1</script>').waitFor();
        expect(await page.locator('.log-text a, .log-text img, .log-text script').count()).toBe(0);
      }
      expect(await page.evaluate('window.planted')).toBeUndefined();
      expect(errors).toEqual([]);
    }
  });
});

/** Presses a button of a machine's state and gives the reason that it asks for. */
async function setState(page: Page, action: string, machine: string, reason: string): Promise<void> {
  await page.getByRole('button', { name: action, exact: true }).click();
  const dialog = page.getByRole('dialog', { name: `${action} ${machine}?` });
  const confirm = dialog.getByRole('button', { name: `${action} ${machine}` });
  expect(await confirm.isDisabled()).toBe(true);
  await dialog.getByRole('textbox').fill(reason);
  await confirm.click();
}

describe('the token', () => {
  it('is taken from the fragment and leaves the address; who drained a machine stays on its page', async () => {
    await using opened = await app.open(`/machines/v-switch#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    await setState(page, 'Drain', 'v-switch', 'a new riser');
    await page.getByText('It is drained, set by admin').waitFor();
    expect(page.url()).toBe(`${app.url}/machines/v-switch`);
    await page.getByText('leased 59 % of the last 7 days; 2 jobs wait').waitFor();

    // Who drained it: one click from the list, where the name already stands.
    await page.getByRole('link', { name: 'Machines', exact: true }).first().click();
    await page.getByText('drained by admin just now: a new riser').waitFor();
    await page.getByRole('link', { name: 'v-switch' }).click();
    await setState(page, 'Activate', 'v-switch', 'riser replaced');
    await page.getByRole('button', { name: 'Drain', exact: true }).waitFor();
    const changes = page.getByRole('table').filter({ hasText: 'riser replaced' });
    expect(await changes.getByRole('row').allTextContents()).toEqual([
      expect.stringContaining('Set to'),
      expect.stringMatching(/active.*admin.*riser replaced/),
      expect.stringMatching(/drained.*admin.*a new riser/),
    ]);
  });
  it('is asked for when a write needs it, and a wrong one is refused at once and not kept', async () => {
    await using opened = await app.open('/machines/v-amd-roots');
    const { page } = opened;
    await setState(page, 'Quarantine', 'v-amd-roots', 'wrong data');
    const dialog = page.getByRole('dialog', { name: 'Token needed' });
    await dialog.getByLabel('Token').fill('wrong');
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByText('The controller does not know this token.').waitFor();
    expect(await page.evaluate("localStorage.getItem('peerlab.token')")).toBeNull();
    await dialog.getByLabel('Token').fill(SAMPLE_TOKEN);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('It is quarantined, set by admin').waitFor();

    // The same page, by hand: who am I, out, and in again.
    await page.getByTitle('Who is signed in').click();
    await page.getByText('Signed in as admin. You may read and write').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).click();
    const signIn = page.getByRole('dialog', { name: 'Sign in' });
    await signIn.getByLabel('Token').fill(SAMPLE_TOKEN);
    await signIn.getByRole('button', { name: 'Continue' }).click();
    await page.getByTitle('Who is signed in').getByText('admin').waitFor();
    await setState(page, 'Activate', 'v-amd-roots', 'checked');
    await page.getByRole('button', { name: 'Quarantine', exact: true }).waitFor();
  });
});

describe('the list of machines', () => {
  it('is filtered by the address, by chips and by its fields, and says when nothing matches', async () => {
    await using opened = await app.open('/machines?label=cpu%3Damd');
    const { page } = opened;
    const rows = page.locator('main table').first().locator('tbody tr');
    await page.getByRole('link', { name: 'v-switch' }).waitFor();
    expect(await rows.count()).toBe(2);
    await page.getByLabel('Queue').selectOption('waiting');
    await page.getByRole('link', { name: 'v-amd-roots' }).waitFor({ state: 'detached' });
    expect(new URL(page.url()).search).toBe('?label=cpu%3Damd&queue=waiting');
    await page.getByLabel('State').selectOption('offline');
    await page.getByText('None of the 3 machines matches.').waitFor();
    await page.getByRole('link', { name: 'Clear the filters' }).click();
    await page.getByRole('link', { name: 'cpu=intel' }).click();
    await page.getByRole('link', { name: 'v-switch' }).waitFor({ state: 'detached' });
    expect(await rows.count()).toBe(1);
  });
});

describe('a phone', () => {
  it('has the pages behind a button that names the open one, and text in the size of the browser', async () => {
    await using opened = await app.open('/machines', { viewport: { width: 390, height: 844 } });
    const { page } = opened;
    const pages = page.getByRole('navigation', { name: 'Pages' });
    const button = page.getByRole('button', { name: 'Machines' });
    await button.waitFor();
    expect(await pages.isVisible()).toBe(false);
    await button.click();
    await pages.getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    expect(await pages.isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Runs' }).waitFor();

    const size = () => page.evaluate<string>('getComputedStyle(document.body).fontSize');
    expect(await size()).toBe('14px');
    await page.evaluate("document.documentElement.style.fontSize = '32px'");
    expect(await size()).toBe('28px');
  });
});

describe('half a screen', () => {
  it.each([765, 900, 1000, 1100, 1200])('has the whole header at %i pixels', async (width) => {
    await using opened = await app.open(`/machines#token=${SAMPLE_TOKEN}`, { viewport: { width, height: 800 } });
    const { page } = opened;
    await page.getByTitle('Who is signed in').getByText('admin').waitFor();
    const end = await page.locator('.top-right').boundingBox();
    expect((end?.x ?? width) + (end?.width ?? 0)).toBeLessThanOrEqual(width);
  });
});

describe('failures', () => {
  it('are shown where they happen, with the correlation id and a retry that works', async () => {
    app.farm.broken.add('getFleet');
    await using opened = await app.open('/machines');
    const { page } = opened;
    const alert = page.getByRole('alert');
    await alert.getByText('correlation id').waitFor();
    app.farm.broken.delete('getFleet');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'v-switch' }).waitFor();
  });
  it('name what is not there', async () => {
    await using opened = await app.open('/machines/no-such-machine');
    await opened.page.getByText('there is no machine no-such-machine').first().waitFor();
  });
});
