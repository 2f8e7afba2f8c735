import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_TOKEN } from './sample-farm.js';
import { startWebApp, type WebApp, editorText } from './web-app.js';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
});

describe('grid', () => {
  it('is one tab stop in which the arrow keys move, Enter opens and Escape returns', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    const grid = page.getByRole('grid');
    await grid.waitFor();
    expect(await grid.locator('[tabindex="0"]').count()).toBe(1);
    await grid.locator('[tabindex="0"]').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight'])
      await page.keyboard.press(key);
    expect(await page.evaluate("document.activeElement.closest('tr').querySelector('th').textContent")).toBe(
      'alias_read',
    );
    expect(await grid.locator('[tabindex="0"]').count()).toBe(1);
    await page.keyboard.press('Enter');
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByRole('heading', { name: 'alias_read' }).waitFor();
    await panel.getByText('alias pages').first().waitFor();
    expect(new URL(page.url()).searchParams.get('cell')).toMatch(/^p2p-functional\/alias_read@dma-alias@/);
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    expect(await page.evaluate("document.activeElement.closest('tr').querySelector('th').textContent")).toBe(
      'alias_read',
    );
  });
  it('leads from a cell to the exact log lines', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    await page.locator('td.cell.verdict-fail').click();
    await page.getByRole('link', { name: /^Log: test lines 24–27/ }).click();
    await page.locator('.log-marked').nth(3).waitFor();
    expect(await page.locator('.log-marked').count()).toBe(4);
  });
  it('says in one click whether a failure was seen before, and shows that people know it', async () => {
    await using opened = await app.open(`/#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    await page.locator('td.cell.verdict-fail').click();
    const panel = page.getByRole('complementary', { name: 'Evidence' });
    await panel.getByText('Seen 3 times before this run').waitFor();
    await panel.getByRole('button', { name: 'Mark as known' }).click();
    const dialog = page.getByRole('dialog', { name: 'Mark this failure as known?' });
    await dialog.getByLabel('Reason').fill('the tail is copied twice');
    await dialog.getByRole('button', { name: 'Mark as known' }).click();
    await panel.getByText(/^known until .*: the tail is copied twice$/).waitFor();
    // The verdict stays what it is; the attempt and the run show the mark too.
    expect(await panel.locator('.verdict-fail').count()).toBeGreaterThan(0);
    await panel.getByRole('link', { name: /^Attempt on/ }).click();
    const seen = page.locator('.seen-before').filter({ hasText: 'the tail is copied twice' });
    await seen.locator('summary').click();
    await seen.getByText('Seen 3 times before this run').waitFor();
    await page.goto(`${app.url}/runs/${app.farm.endedRun}`);
    const row = page.getByRole('row').filter({ hasText: 'the tail is copied twice' });
    await row.getByText('3 times, first').waitFor();
  });
  it('filters by an expression in the address, says what is wrong with one, and folds suites', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    await page.getByRole('rowheader', { name: 'thp_alias' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('^p2p-functional/.*alias$');
    await page.getByRole('rowheader', { name: 'boot' }).waitFor({ state: 'detached' });
    expect(await page.getByRole('rowheader', { name: 'thp_alias' }).count()).toBe(1);
    expect(new URL(page.url()).searchParams.get('q')).toBe('^p2p-functional/.*alias$');
    await page.getByLabel('Filter tests').fill('(');
    await page.getByText('Unterminated group').waitFor();
    await page.getByLabel('Filter tests').fill('');
    await page.getByRole('rowheader', { name: /^farm/ }).click();
    await page.getByRole('rowheader', { name: 'boot' }).waitFor({ state: 'detached' });
    await page.reload();
    await page.getByRole('rowheader', { name: 'thp_alias' }).waitFor();
    expect(await page.getByRole('rowheader', { name: 'boot' }).count()).toBe(0);
  });
  it('shows medians against the first build of the same combination', async () => {
    await using opened = await app.open('/?show=metric');
    const { page } = opened;
    const row = page.getByRole('row', { name: /^fault_map_device_pte/ });
    await row.getByText('54× lower, no verdict').first().waitFor();
    await page.locator('.ratios-row').getByText('Emulation: ratios only.').waitFor();
    expect(await row.getByText('54× lower, no verdict').count()).toBe(2);
    // One boot each is no comparison.
    expect(await row.locator('.tone-good, .tone-bad').count()).toBe(0);
    // Bars of a row are shares of one length, whatever the width of their columns.
    const lengths = `[...document.querySelectorAll('tbody.metrics tr:nth-child(3) .metric-bar')].map((bar) => bar.offsetWidth)`;
    expect(await page.evaluate(lengths)).toEqual([64, 64, 64, 64, 64, 64]);
    await page.getByLabel('Metrics in cells').uncheck();
    await expect.poll(() => page.evaluate(lengths)).toEqual([36, 36, 36, 36, 36, 36]);
  });
  it('says what to do when nothing has run', async () => {
    await using opened = await app.open(`/?run=${app.farm.liveRun}`);
    await opened.page.getByRole('link', { name: 'Submit a run' }).waitFor();
  });
  it('shows the keys it has', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    await page.getByRole('grid').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).getByText('move into the grid and between cells').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('g');
    await page.keyboard.press('r');
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
  });
});

describe('run page', () => {
  it('has no verdict before the end: head, list and tab say how far it is, and why it waits', async () => {
    const run = app.farm.runs.get(app.farm.liveRun);
    if (run === undefined) throw new Error('the sample farm has a live run');
    const before = { counts: run.counts, progress: run.progress };
    run.counts = { pass: 38, skip: 2 };
    run.progress = { running: 1, reported: 40, planned: 109, obstacle: null };
    try {
      await using opened = await app.open('/runs');
      const { page } = opened;
      const row = page.getByRole('row', { name: /my series/ });
      await row.getByText('running', { exact: false }).waitFor();
      await row.getByText('40 of 109, no failure so far').waitFor();
      expect(await row.locator('.verdict').count()).toBe(0);
      await row.getByRole('link', { name: /my series/ }).click();
      await page.locator('.page-head').getByText('40 of 109, no failure so far').waitFor();
      expect(await page.title()).toMatch(/^running, 40 of 109, no failure so far: my series/);
      run.progress = {
        running: 0,
        reported: 40,
        planned: 109,
        obstacle: 'v-intel-roots is drained; activate it to go on',
      };
      app.farm.changed(`run:${run.id}`);
      await page.locator('.page-head .badge').getByText('waiting').waitFor();
      await page.locator('.page-head').getByText('v-intel-roots is drained').waitFor();
      expect(await page.locator('.page-head').getByText('running').count()).toBe(0);
    } finally {
      Object.assign(run, before);
    }
  });
  it('is found by a filter that is in the address and that the controller applies', async () => {
    await using opened = await app.open('/runs');
    const { page } = opened;
    await page.getByRole('link', { name: /^my series/ }).waitFor();
    await page.getByLabel('Verdict').selectOption('crash');
    await page.getByRole('link', { name: /^my series/ }).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'dma_alias, before and after' }).waitFor();
    await page.getByLabel('Filter runs').fill('nothing');
    await page.getByText('No run matches the filter.').waitFor();
    expect(new URL(page.url()).search).toBe('?verdict=crash&q=nothing');
    await page.reload();
    await page.getByText('No run matches the filter.').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await page.getByRole('link', { name: /^my series/ }).waitFor();
    expect(new URL(page.url()).search).toBe('');
  });
  it('follows the run without a reload', async () => {
    await using opened = await app.open(`/runs/${app.farm.liveRun}`);
    const { page } = opened;
    await page.getByText('38 %', { exact: true }).waitFor();
    await page.getByText('Waiting: the kernel build my-series').waitFor();
    const run = app.farm.runs.get(app.farm.liveRun);
    const attempt = run?.jobViews[0]?.attempts[0];
    if (attempt === undefined) throw new Error('the live run has a build attempt');
    attempt.progress = { percent: 71, text: 'LD vmlinux', cached: false };
    const stage = attempt.stages.at(-1);
    if (stage !== undefined) stage.usualMs = 10_800_000;
    app.farm.changed(`run:${app.farm.liveRun}`);
    await page.getByText('71 %').waitFor();
    await page.locator('.stage-started').getByText('of about 3 h 00 min').waitFor();
  });
  it('survives a restart of the controller: says so, returns, and catches up', async () => {
    await using opened = await app.open(`/runs/${app.farm.liveRun}`);
    const { page } = opened;
    await page.getByText('live', { exact: true }).waitFor();
    await app.farm.stop();
    await page.getByText('Live updates paused, retrying').waitFor();
    const attempt = app.farm.runs.get(app.farm.liveRun)?.jobViews[0]?.attempts[0];
    if (attempt === undefined) throw new Error('the live run has a build attempt');
    attempt.progress = { percent: 93, text: 'BUILD bzImage', cached: false };
    app.farm.changed(`run:${app.farm.liveRun}`);
    await app.farm.start();
    await page.getByText('93 %').waitFor();
    await page.getByText('Live updates paused').waitFor({ state: 'detached' });
  });
  it('asks before it cancels', async () => {
    await using opened = await app.open(`/runs/${app.farm.liveRun}#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    await page.getByText('cancel requested').waitFor();
  });
});

describe('what came out', () => {
  it('can be tried again, one job alone', async () => {
    await using opened = await app.open(`/runs/${app.farm.endedRun}#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    await page.getByRole('button', { name: 'retry dma-alias on v-switch' }).click();
    await page.waitForURL(
      (url) => /^\/runs\/[0-9a-f-]{36}$/.test(url.pathname) && !url.pathname.endsWith(app.farm.endedRun),
    );
    expect(app.farm.calls.get('retryJob')).toBe(1);
  });
  it('stands on the run page: findings, why tests were skipped, by machine, the slowest', async () => {
    await using opened = await app.open(`/runs/${app.farm.endedRun}`);
    const { page, errors } = opened;
    const first = page.getByRole('region', { name: 'Findings' }).getByRole('listitem').first();
    await first.getByText('crash', { exact: true }).waitFor();
    await first.getByRole('link', { name: 'v-intel-roots/base' }).waitFor();
    const skips = page.getByRole('region', { name: 'Skipped, by reason' });
    await skips.getByText('this kernel lacks dma_alias (CONFIG_HMM_DMA_ALIAS is not set)').waitFor();
    await skips.getByRole('link', { name: 'alias_write' }).waitFor();
    await page
      .getByRole('region', { name: 'By machine' })
      .getByRole('row', { name: /v-switch/ })
      .first()
      .waitFor();
    await page.getByText('Emulation: ratios only').first().waitFor();
    const slowest = page.getByRole('region', { name: 'Slowest tests' });
    expect(await slowest.getByRole('listitem').first().textContent()).toMatch(
      /^252 ms p2p-functional\/host_oracle_agrees/,
    );
    await slowest.getByRole('link', { name: /^v-/ }).first().click();
    await page.getByLabel('Order').waitFor();
    expect(new URL(page.url()).search).toBe('?sort=time');
    expect(errors).toEqual([]);
  });

  it('stands on the attempt page: verdict and counts in the head, what needs a look first, filter and order in the address', async () => {
    const crashed = app.farm.jobs.find(({ job }) => job.verdict === 'crash')?.attempt.id ?? '';
    await using opened = await app.open(`/attempts/${crashed}`);
    const { page, errors } = opened;
    await page.locator('.page-head .verdict').getByText('crash').waitFor();
    expect(await page.title()).toMatch(/^crash: attempt 1, v-intel-roots/);
    const results = page.getByRole('region', { name: 'Results' });
    const tests = () => results.locator('tbody tr td:nth-child(2) a').allTextContents();
    expect((await tests()).slice(0, 3)).toEqual(['munmap_while_mapped', 'fork_while_mapped', 'host_oracle_agrees']);
    expect(await tests()).not.toContain('alias_read');
    await results.locator('.skip-group').getByText('this kernel lacks dma_alias').waitFor();
    // Why data that took RAM are right here, without a tooltip.
    await results.getByText('RAM, as the test expects').first().waitFor();
    await results.getByText('RAM, as expected: no peer path exists here').first().waitFor();
    await results.getByRole('button', { name: /pass$/ }).click();
    await expect.poll(tests).not.toContain('munmap_while_mapped');
    await page.getByLabel('Order').selectOption('name');
    expect(new URL(page.url()).search).toBe('?verdict=pass&sort=name');
    await page.reload();
    await results.waitFor();
    expect(await tests()).toEqual((await tests()).toSorted());
    await page.getByText('00112233445566778899aabbccddeeff').waitFor();
    await page.getByText('Emulation: ratios only').waitFor();
    // Everything that can be downloaded is one click away; a kernel needs a token, a log does not.
    await page.getByRole('link', { name: 'Files', exact: true }).click();
    expect(new URL(page.url()).search).toBe('?view=files');
    const row = (name: string) => page.getByRole('row', { name: new RegExp(`^${name} `) });
    expect(await row('kernel\\.log').textContent()).toContain('kernel log (dmesg)912about 50 KiB');
    expect(await row('vmlinuz').textContent()).toContain('8.7 MiB');
    const [log] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'kernel.log' }).click(),
    ]);
    expect(log.suggestedFilename()).toBe('kernel.log');
    // What the controller refuses is no file, and the page says why.
    app.farm.broken.add('getRawLog');
    await page.getByRole('link', { name: 'kernel.log' }).click();
    await row('kernel\\.log').getByRole('alert').getByText('Not saved: the database did not answer').waitFor();
    app.farm.broken.delete('getRawLog');
    await page.getByRole('link', { name: 'config', exact: true }).click();
    await page.getByRole('dialog', { name: 'Token needed' }).getByLabel('Token').fill(SAMPLE_TOKEN);
    const [config] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect(await buffer(await config.createReadStream()).then(String)).toBe('content of config');
    expect(errors.filter((error) => !/401|500/.test(error))).toEqual([]);
  });

  it('of a canceled attempt is no alarm', async () => {
    const attempt = app.farm.jobs[0]?.attempt;
    if (attempt === undefined) throw new Error('the sample farm has jobs');
    const { failure, stages, results } = attempt;
    const help = 'Canceled on request; the machine was restored.';
    attempt.failure = { class: 'canceled', stage: 'boot', message: 'the run was canceled', signature: null, help };
    attempt.stages = stages.map((stage) => (stage.stage === 'boot' ? { ...stage, status: 'failed' } : stage));
    attempt.results = [];
    try {
      await using opened = await app.open(`/attempts/${attempt.id}`);
      const { page } = opened;
      await page.locator('.page-head .verdict-canceled').waitFor();
      await page.locator('.notice-quiet').getByText('the run was canceled').waitFor();
      await page.locator('.stage-stopped').getByText('boot').waitFor();
      expect(await page.locator('.notice-bad, .stage-failed').count()).toBe(0);
    } finally {
      Object.assign(attempt, { failure, stages, results });
    }
  });
});

describe('submit', () => {
  it('marks a problem at its line, jumps there, and shows the plan once it is right', async () => {
    await using opened = await app.open('/submit');
    const { page } = opened;
    const editor = page.getByLabel('Run as YAML');
    await page.getByText('6 jobs on 3 machines').waitFor();
    await editor.fill('name: x\nbuilds:\n  - name: base\n    serie: []\n');
    const problem = page.getByRole('button', { name: /unknown field "serie"/ });
    await problem.waitFor();
    await page.locator('.editor .cm-lint-marker-error').first().waitFor();
    await problem.click();
    await page.keyboard.press('Home');
    await page.keyboard.press('Shift+End');
    await page.keyboard.type('series: []');
    await page.getByText('3 jobs on 3 machines').waitFor();
    expect(await editorText(page)).toBe('name: x\nbuilds:\n  - name: base\n    series: []\n');
    await editor.fill('name: x\nbuilds:\n  - {name: base, series: []}\nmachines: {labels: {cpu: intel}}\n');
    await page.getByText('1 job on 1 machine').waitFor();
    await page.getByText('has no label cpu=intel (it has cpu=amd)').first().waitFor();
  });
  it('adds a dropped mailbox as a build and takes it back', async () => {
    await using opened = await app.open('/submit');
    const { page } = opened;
    await page.locator('input[type=file]').setInputFiles({
      name: 'my series.mbox',
      mimeType: 'application/mbox',
      buffer: Buffer.from('From 3f9c2ab Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\ndiff --git a/a b/a\n'),
    });
    await page.getByText('Added my series.mbox as build my-series.').waitFor();
    await page.getByText('9 jobs on 3 machines').waitFor();
    await page.getByRole('form', { name: 'Run as a form' }).getByText('1 patch: [PATCH] x').waitFor();
    await page.locator('.plan-series').getByText('my-series: 1 patch: [PATCH] x').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('6 jobs on 3 machines').waitFor();
  });
  it('submits and opens the run', async () => {
    await using opened = await app.open(`/submit?template=before-after#token=${SAMPLE_TOKEN}`);
    const { page } = opened;
    await page.getByText('6 jobs on 3 machines').waitFor();
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
    await page.getByRole('heading', { name: 'dma_alias, before and after' }).waitFor();
  });
});
