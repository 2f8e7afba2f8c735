import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gapText } from '@peerlab/contracts';
import { startWebApp, type WebApp } from './web-app.js';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
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
    await expect
      .poll(() => page.locator('.log-row mark').allTextContents())
      .toEqual(Array.from({ length: 10 }, (_, digit) => `file_1234${digit}.o`));
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
    await page.getByText('first error: line 701 · 1 480 lines, ended').waitFor();
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
    // Streams can be left out; a number leads to the line in its own stream.
    await page.getByRole('button', { name: 'kernel', exact: true }).click();
    await expect.poll(() => page.locator('.log-stream.stream-kernel').count()).toBe(0);
    expect(new URL(page.url()).searchParams.get('without')).toBe('kernel');
    await page.getByRole('button', { name: 'wrap long lines' }).click();
    await page
      .getByLabel(/^serial line/)
      .last()
      .click();
    await page.waitForURL(/stream=serial.*line=|line=.*stream=serial/);
    await page.locator('.log-marked').waitFor();
  });
  it('says in a line with more hits than it marks that it has more', async () => {
    const attempt = app.farm.jobs[0]?.attempt.id ?? '';
    app.farm.pushLines(attempt, 'agent', ['xy'.repeat(250)]);
    await using opened = await app.open(`/attempts/${attempt}?view=log&stream=agent&q=xy`);
    const { page } = opened;
    await page.getByText('only the first 200 hits of this line are marked').waitFor();
    expect(await page.locator('.log-row mark').count()).toBe(200);
    await page.getByLabel('Search the log', { exact: true }).fill('(xy)(?=.{50})');
    await page.getByRole('button', { name: 'regular expression' }).click();
    await page.getByText('only the first 200 hits of this line are marked').waitFor();
    await page.getByLabel('Search the log', { exact: true }).fill('(xy)(?=.{200})');
    await page.getByText('1 hit', { exact: true }).waitFor();
    await expect.poll(() => page.locator('.log-row mark').count()).toBe(150);
    expect(await page.getByText('only the first').count()).toBe(0);
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
