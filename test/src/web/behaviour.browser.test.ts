import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gapText } from '@peerlab/contracts';
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
    await page.locator('td.cell', { has: page.locator('.verdict-fail') }).click();
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
    app.farm.changed(`run:${app.farm.liveRun}`);
    await page.getByText('71 %').waitFor();
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
    expect(errors).toEqual([]);
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

describe('log viewer', () => {
  const log = (search = ''): string => `/attempts/${app.farm.buildAttempt}?view=log&stream=build${search}`;

  it('holds 200 000 lines with few elements and opens a line link in the middle', async () => {
    app.farm.live.tailed.length = 0;
    await using opened = await app.open(log('&line=123456'));
    const { page } = opened;
    await page.locator('.log-marked').getByText('file_123455.o').waitFor();
    expect(await page.locator('.log-row').count()).toBeLessThan(150);
    expect(app.farm.calls.get('getLog') ?? 0).toBeLessThan(8);
    // From where the log was known to end: a tail from its beginning would bring all of it.
    await page.getByText('200 000 lines, paused').waitFor();
    expect(app.farm.live.tailed).toEqual([{ attemptId: app.farm.buildAttempt, stream: 'build', fromSeq: 200_000 }]);
  });
  it('takes #L lines too', async () => {
    await using opened = await app.open(`/attempts/${app.farm.buildAttempt}#L777`);
    const { page } = opened;
    await page.locator('.log-marked').getByText('file_776.o').waitFor();
    expect(new URL(page.url()).searchParams.get('line')).toBe('777');
  });
  it('follows the tail, pauses when scrolled up, and returns on request', async () => {
    await using opened = await app.open(log());
    const { page } = opened;
    await page.getByText('error: implicit declaration').last().waitFor();
    app.farm.pushLines(app.farm.buildAttempt, 'build', ['first pushed line']);
    await page.getByText('first pushed line').waitFor();
    await page.locator('.log-frame').evaluate((frame) => frame.scrollBy(0, -4000));
    const latest = page.getByRole('button', { name: 'Jump to latest' });
    await latest.waitFor();
    app.farm.pushLines(app.farm.buildAttempt, 'build', ['second pushed line']);
    await page.getByText('200 002 lines, paused, 1 new').waitFor();
    await page.getByRole('button', { name: 'Jump to latest (1 new)' }).waitFor();
    expect(await page.getByText('second pushed line').count()).toBe(0);
    await latest.click();
    await page.getByText('second pushed line').waitFor();
  });
  it('keeps following while batches arrive faster than it scrolls', async () => {
    await using opened = await app.open(log());
    const { page } = opened;
    await page.getByText(/lines, following$/).waitFor();
    for (let batch = 0; batch < 30; batch += 1) {
      app.farm.pushLines(
        app.farm.buildAttempt,
        'build',
        Array.from({ length: 500 }, (_, index) => `batch ${batch} line ${index}`),
      );
    }
    await page.getByText('batch 29 line 499').waitFor();
  });
  it('steps through errors over what is not loaded, and searches', async () => {
    await using opened = await app.open(log('&line=1'));
    const { page } = opened;
    await page.locator('.log-marked').waitFor();
    await page.keyboard.press('n');
    await page.locator('.log-found').getByText('mm/hmm.c:49999:9').waitFor();
    await page.keyboard.press('n');
    await page.locator('.log-found').getByText('mm/hmm.c:99999:9').waitFor();
    await page.keyboard.press('p');
    await page.locator('.log-found').getByText('mm/hmm.c:49999:9').waitFor();
    const field = page.getByLabel('Search the log', { exact: true });
    await field.fill('FILE_61234.o');
    await page.keyboard.press('Enter');
    await page.locator('.log-found mark').getByText('file_61234.o').waitFor();
  });
  it('counts hits from the view on, wraps, marks them beside the scrollbar, and has the search in its address', async () => {
    await using opened = await app.open(log('&line=150000&q=FILE_1234'));
    const { page } = opened;
    await page.locator('.log-marked').waitFor();
    await page.getByText('111 hits', { exact: true }).waitFor();
    const marks = await page.locator('.log-strip i').evaluateAll((all) => all.map((mark) => mark.style.top));
    // The other tests pushed lines, so that the places are theirs.
    expect(marks).toHaveLength(3);
    await page.getByLabel('Search the log', { exact: true }).press('Enter');
    await page.getByText('1 of 111 hits, went on at the other end').waitFor();
    await page.locator('.log-found mark').getByText('file_1234').waitFor();
    await page.getByLabel('Search the log', { exact: true }).press('Shift+Enter');
    await page.getByText('111 of 111 hits').waitFor();
    await page.getByRole('button', { name: 'upper and lower case differ' }).click();
    await page.getByText('no hits').waitFor();
    await page.getByRole('button', { name: 'upper and lower case differ' }).click();
    await page.getByRole('button', { name: 'regular expression' }).click();
    await page.getByLabel('Search the log', { exact: true }).fill('file_1234\\d\\.o');
    await page.getByText('10 hits', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'only lines that match' }).click();
    await expect.poll(() => page.locator('.log-row').count()).toBe(10);
    expect(await page.locator('.log-row mark').allTextContents()).toEqual(
      Array.from({ length: 10 }, (_, digit) => `file_1234${digit}.o`),
    );
    const { searchParams } = new URL(page.url());
    expect(Object.fromEntries(['q', 'regex', 'hits', 'case'].map((name) => [name, searchParams.get(name)]))).toEqual({
      q: 'file_1234\\d\\.o',
      regex: 'on',
      hits: 'on',
      case: null,
    });
  });
  it('ends a regular expression that would take for ever, and the page never stops', async () => {
    const attempt = app.farm.jobs[0]?.attempt.id ?? '';
    app.farm.pushLines(attempt, 'agent', [`${'a'.repeat(60)}!`]);
    const hostile = encodeURIComponent('^(a+)+$');
    await using opened = await app.open(`/attempts/${attempt}?view=log&stream=agent&regex=on&q=${hostile}`);
    const { page } = opened;
    await page.getByText(`${'a'.repeat(60)}!`).waitFor();
    const start = Date.now();
    expect(await page.evaluate('1 + 1')).toBe(2);
    expect(Date.now() - start).toBeLessThan(2000);
    await page.getByText('This expression takes too long').waitFor();
    await page.getByLabel('Search the log', { exact: true }).fill('^a+!$');
    await page.getByText('1 hit', { exact: true }).waitFor();
    await page.locator('mark').getByText('aaaa').waitFor();
  });
  it('opens at its first problem when the attempt has ended, alone or with all streams by time', async () => {
    const attempt = app.farm.jobs[0]?.attempt.id ?? '';
    await using opened = await app.open(`/attempts/${attempt}?view=log&stream=serial`);
    const { page } = opened;
    await page.locator('.log-found').getByText('BUG: KASAN').waitFor();
    await page.getByText('first problem: line 701 · 1 480 lines, ended').waitFor();
    await page.getByRole('link', { name: 'all by time' }).click();
    await page.locator('.log-found').waitFor();
    expect(new Set(await page.locator('.log-stream').allTextContents()).size).toBeGreaterThan(2);
    expect(await page.locator('.ktap-ok, .ktap-not-ok').count()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'show the time of each line' }).click();
    expect(await page.locator('.log-time').first().textContent()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
    await page.getByRole('button', { name: 'wrap long lines' }).click();
    await page.locator('.log-window .log-row').first().waitFor();
    await page.getByRole('button', { name: 'Jump to the end' }).click();
    const stage = page.getByRole('button', { name: 'stage restore' });
    await stage.waitFor();
    expect(await stage.getAttribute('aria-expanded')).toBe('true');
    await stage.click();
    expect(await stage.getAttribute('aria-expanded')).toBe('false');
    await page
      .getByLabel(/^serial line/)
      .last()
      .click();
    await page.waitForURL(/stream=serial.*line=|line=.*stream=serial/);
    await page.locator('.log-marked').waitFor();
  });
  it('says how many lines are missing and why, joins parts of a line by a mark, and tells of a removed log', async () => {
    const attempt = app.farm.jobs[0]?.attempt.id ?? '';
    const gap = { lines: 500, bytes: 12_345, reason: 'spool-full' };
    const stream = app.farm.stream(attempt, 'kernel');
    stream.marks.set(30, { gap }).set(32, { continues: true });
    stream.pushed.set(30, gapText(gap));
    await using opened = await app.open(`/attempts/${attempt}?view=log&stream=kernel&line=30`);
    const { page } = opened;
    await page.getByText('500 lines are missing here (12345 bytes)').waitFor();
    expect(await page.getByLabel('continues the line above').count()).toBe(1);
    app.farm.stream(attempt, 'agent').removedAt = '2026-11-01T00:00:00.000Z';
    await page.goto(page.url().replace('stream=kernel', 'stream=agent'));
    await page.getByText(/stream were removed .* by retention; results and measurements remain/).waitFor();
    app.farm.stream(attempt, 'agent').removedAt = null;
    stream.marks.clear();
    stream.pushed.delete(30);
  });
  it('shows a gap as a gap and marks a range by Shift', async () => {
    const attempt = app.farm.jobs[0]?.attempt.id ?? '';
    app.farm.stream(attempt, 'kernel').lost.add(20);
    await using opened = await app.open(`/attempts/${attempt}?view=log&stream=kernel&line=20`);
    const { page } = opened;
    await page.getByText('this line was lost').waitFor();
    await page.getByLabel('line 18', { exact: true }).click();
    await page.getByLabel('line 22', { exact: true }).click({ modifiers: ['Shift'] });
    await page.waitForURL(/line=18&to=22/);
    expect(await page.locator('.log-marked').count()).toBe(5);
  });
  it('says that it ended once its attempt has, and no longer that it follows', async () => {
    const attempt = app.farm.attempts.get(app.farm.buildAttempt);
    const stream = app.farm.stream(app.farm.buildAttempt, 'build');
    if (attempt === undefined) throw new Error('the live run has a build attempt');
    await using opened = await app.open(log());
    await opened.page.getByText(/lines, following$/).waitFor();
    Object.assign(attempt, { state: 'ended', endedAt: new Date().toISOString() });
    stream.complete = true;
    app.farm.changed(`run:${app.farm.liveRun}`);
    await opened.page.getByText(/lines, ended$/).waitFor();
    expect(await opened.page.getByText('following').count()).toBe(0);
    Object.assign(attempt, { state: 'running', endedAt: null });
    stream.complete = false;
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
