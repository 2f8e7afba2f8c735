import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkEveryPage, PATIENCE } from './every-page.js';
import { SAMPLE_TOKEN } from './sample-farm.js';
import { startWebApp, untilLoaded, type WebApp } from './web-app.js';

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
    log: () => `/attempts/${firstJob().attempt.id}?view=log&stream=serial&line=701`,
    'log of all streams': () =>
      `/attempts/${firstJob().attempt.id}?view=log&stream=all&q=alias&regex=on&time=on&wrap=on`,
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

describe('text from outside', () => {
  it('stays text in names, reasons and logs', PATIENCE, async () => {
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

describe('the token', () => {
  it('is taken from the fragment and leaves the address', async () => {
    await using opened = await app.open(`/machines/v-switch#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    await page.getByRole('button', { name: 'Drain' }).click();
    await page.getByText('drained', { exact: false }).first().waitFor();
    expect(page.url()).toBe(`${app.url}/machines/v-switch`);
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.getByRole('button', { name: 'Drain' }).waitFor();
  });
  it('is asked for when a write needs it, once, and a wrong one is told apart', async () => {
    await using opened = await app.open('/machines/v-amd-roots');
    const { page } = opened;
    await page.getByRole('button', { name: 'Quarantine' }).click();
    const dialog = page.getByRole('dialog', { name: 'Token needed' });
    await dialog.getByLabel('Token').fill('wrong');
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByText('refused the stored token').waitFor();
    await dialog.getByLabel('Token').fill(SAMPLE_TOKEN);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('quarantined').waitFor();
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.getByRole('button', { name: 'Quarantine' }).waitFor();
  });
});

describe('failures', () => {
  it('are shown where they happen, with the correlation id and a retry that works', async () => {
    app.farm.broken.add('getFleet');
    await using opened = await app.open('/machines');
    const { page } = opened;
    const alert = page.getByRole('alert');
    await alert.getByText('correlation id').waitFor({ timeout: 15_000 });
    app.farm.broken.delete('getFleet');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'v-switch' }).waitFor();
  });
  it('name what is not there', async () => {
    await using opened = await app.open('/machines/no-such-machine');
    await opened.page.getByText('there is no machine no-such-machine').first().waitFor();
  });
});
