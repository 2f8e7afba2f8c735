import type { BuildSummary } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkEveryPage } from './every-page.js';
import { FAILED_BUILD, SAMPLE_BUILDS } from './sample-builds.js';
import { COUNTED_BUILD, MUTANTS_BUILD } from './sample-coverage.js';
import { SAMPLE_TOKEN } from './sample-farm.js';
import { accessibilityFindings, startWebApp, type WebApp } from './web-app.js';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
});

const build = (name: string): string => `/builds/${SAMPLE_BUILDS[name]}`;
const signedIn = (path: string): string => `${path}#token=${SAMPLE_TOKEN}`;
checkEveryPage((path, options) => app.open(path, options), {
  builds: () => '/builds',
  'built kernel': () => `${build('dma-alias')}?open=1,20`,
  'untouched base': () => build('base'),
  'hostile patch': () => `${build('my-series')}?open=1`,
  'counted build': () => `/builds/${COUNTED_BUILD}`,
  'build with mutants': () => `/builds/${MUTANTS_BUILD}`,
  'failed build': () => `/builds/${FAILED_BUILD}`,
  tokens: () => signedIn('/admin'),
  deliveries: () => signedIn('/admin?tab=deliveries'),
  reports: () => signedIn('/admin?tab=reports'),
  retention: () => '/admin?tab=retention',
});

describe('kernel builds', () => {
  it('are listed by page, filtered by the address, and walked through with j, k and Enter', async () => {
    await using opened = await app.open('/builds');
    const { page } = opened;
    await page.getByRole('link', { name: 'dma-alias', exact: true }).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(50);
    await page.getByRole('button', { name: 'Load older builds' }).click();
    await page.getByRole('link', { name: 'older-60', exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Load older builds' }).count()).toBe(0);

    await page.keyboard.press('/');
    await page.keyboard.type('^(base|dma)');
    await page.getByRole('link', { name: 'my-series', exact: true }).waitFor({ state: 'detached' });
    expect(new URL(page.url()).searchParams.get('q')).toBe('^(base|dma)');
    await page.reload();
    await page.getByRole('link', { name: 'base', exact: true }).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(2);

    for (const key of ['j', 'j', 'j', 'k']) await page.keyboard.press(key);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('dma-alias');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'base', exact: true }).waitFor();
    await page.getByText('No patch: the untouched base 7.2.13').waitFor();
    await page.getByText('The selftests timers were not built: posix_timers.c:7: unknown type <b>x</b>').waitFor();
    await page.getByText("does not build: toy.c:12: implicit declaration of function 'vm_flags_set'").waitFor();
    await page.getByText('built (84.4 MiB); a machine loads nvidia, nvidia-uvm').waitFor();
  });

  it('show their series: each patch unfolds by a click that the address keeps, and is fetched then only', async () => {
    const before = app.farm.calls.get('getPatch') ?? 0;
    await using opened = await app.open(build('dma-alias'));
    const { page } = opened;
    const first = page.getByRole('button', { name: /^1 ?RDMA\/rxe: copy to and from/ });
    await first.waitFor();
    expect(app.farm.calls.get('getPatch') ?? 0).toBe(before);
    await first.click();
    await page.locator('.diff-add').first().waitFor();
    expect(app.farm.calls.get('getPatch')).toBeGreaterThan(before);
    expect(new URL(page.url()).searchParams.get('open')).toBe('1');
    expect(await page.locator('.diff-add .diff-text').first().textContent()).toMatch(/^added: \+/);
    await page.reload();
    await page.locator('.diff-add').first().waitFor();
    await first.click();
    await page.locator('.diff').waitFor({ state: 'detached' });

    const long = page.getByRole('button', { name: /a long file/ });
    await long.click();
    await page.getByRole('button', { name: /long\.c.*900 lines folded/ }).click();
    await page.getByText('line_900();').waitFor();
  });

  it('say why the text of a patch is missing, and what was built of what on which machine', async () => {
    await using opened = await app.open(build('dma-alias'));
    const { page } = opened;
    await page.getByText(/The text of 1 of \d+ patches is not stored/).waitFor();
    expect(await page.getByRole('button', { name: /whose text is lost/ }).isDisabled()).toBe(true);
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'v-amd-roots' }) });
    await row.getByText('fail').waitFor();
    await row.getByRole('link', { name: 'results and logs' }).click();
    await page.getByRole('heading', { name: 'dma-alias on v-amd-roots' }).waitFor();
  });

  it('show which added lines their tests ran, and fetch that of kernels that count alone', async () => {
    const before = app.farm.calls.get('getBuildCoverage') ?? 0;
    await using plain = await app.open(build('dma-alias'));
    await plain.page.getByText('patches').first().waitFor();
    expect(app.farm.calls.get('getBuildCoverage') ?? 0).toBe(before);

    await using opened = await app.open(`/builds/${COUNTED_BUILD}`);
    const { page } = opened;
    await page.getByText('4 of 5 added lines with code ran; 2 added lines in files that are not built').waitFor();
    await page.getByText('Added up over 2 attempts on v-amd-roots, v-switch').waitFor();
    await page.getByText('this kernel was not proven to run').waitFor();
    const row = page.getByRole('row', { name: 'mm/hmm.c' });
    expect(await row.locator('td').allTextContents()).toEqual(['mm/hmm.c', '6', '5', '4', '80 %']);
    const missed = page.locator('.diff-missed .diff-text');
    expect(await missed.allTextContents()).toEqual(['added: +did not run: ✗\t\treturn -EINVAL;']);
    expect(await page.locator('.diff .coverage-ran').count()).toBe(4);
    expect(await page.evaluate('window.planted')).toBeUndefined();
  });

  it('show the score of their tests and the mutants that nothing noticed, and on request all of them', async () => {
    await using opened = await app.open(`/builds/${MUTANTS_BUILD}`);
    const { page } = opened;
    await page.getByText('of 4 mutants tried 2 killed, 1 alive, 1 not reached').waitFor();
    const rows = page.locator('table.mutants tbody tr');
    expect(await rows.locator('td:first-child').allTextContents()).toEqual(['alive', 'not reached']);
    await page.getByText('if (<img src=x onerror="window.planted=1">) negated').waitFor();
    await page.getByRole('button', { name: 'All 5 mutants' }).click();
    await page.getByText('FAILED tests_dma.c:50: data differs').first().waitFor();
    expect(await rows.count()).toBe(5);
    expect(await page.evaluate('window.planted')).toBeUndefined();
  });

  it('keep markup in subject, author, path, message and diff what it is: text', async () => {
    await using opened = await app.open(`${build('my-series')}?open=1`);
    const { page, errors } = opened;
    await page.getByText('<iframe srcdoc=').waitFor();
    expect(await page.locator('.series').locator('img, script, svg, iframe, a').count()).toBe(0);
    expect(await page.evaluate('window.planted')).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it('are a step away from their run', async () => {
    await using opened = await app.open(`/runs/${app.farm.liveRun}`);
    const { page } = opened;
    await page.getByRole('heading', { name: 'Build my-series' }).getByRole('link').click();
    await page.getByRole('heading', { name: 'my-series', exact: true }).waitFor();
  });

  it('name what is not there', async () => {
    await using opened = await app.open('/builds/00000000-0000-4000-8000-00000000ffff');
    await opened.page.getByText('there is no such build').first().waitFor();
  });
});

describe('tokens', () => {
  it('need a token, are shown once when made, and go after their name was typed', async () => {
    await using opened = await app.open('/admin');
    const { page } = opened;
    const question = page.getByRole('dialog', { name: 'Token needed' });
    await question.getByLabel('Token').fill(SAMPLE_TOKEN);
    await question.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('in use here').waitFor();

    await page.locator('.new-token select').selectOption('agent');
    await page.locator('.new-token input').fill('lab-7');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByText('plk_agent_sample-secret').waitFor();
    await page.getByRole('button', { name: 'Done, hide it' }).click();
    await page.getByText('plk_agent_sample-secret').waitFor({ state: 'detached' });
    expect(await page.evaluate('JSON.stringify([localStorage, sessionStorage])')).not.toContain('sample-secret');

    await page.getByRole('button', { name: 'Revoke the token of agent lab-7' }).click();
    const dialog = page.getByRole('dialog', { name: 'Revoke this token?' });
    const revoke = dialog.getByRole('button', { name: 'Revoke it' });
    expect(await revoke.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('lab-');
    await page.keyboard.press('Enter');
    expect(await revoke.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('lab-7');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Revoke the token of agent lab-7' }).waitFor({ state: 'detached' });
    await page.getByRole('row', { name: /lab-7/ }).getByText('revoked').waitFor();
  });
});

describe('webhook deliveries', () => {
  it('tell what became of each, page by page', async () => {
    await using opened = await app.open(signedIn('/admin?tab=deliveries'));
    const { page } = opened;
    await page.getByText('there is no template "nightly"').first().waitFor();
    expect(await page.locator('.badge').filter({ hasText: 'ignored' }).count()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Load older deliveries' }).click();
    await page.getByText('delivery-60', { exact: true }).waitFor();
    expect(await page.evaluate('window.planted')).toBeUndefined();
    await page.getByRole('link', { name: 'Retention' }).click();
    expect(new URL(page.url()).searchParams.get('tab')).toBe('retention');
  });
});

describe('webhooks', () => {
  it('a commit of a fork runs after its id was typed', async () => {
    await using opened = await app.open(signedIn('/admin?tab=deliveries'));
    const { page } = opened;
    await page.getByRole('button', { name: 'Approve delivery-4' }).click();
    const dialog = page.getByRole('dialog', { name: 'Run this commit of a fork?' });
    await dialog.getByText('of mallory/linux').waitFor();
    await dialog.getByRole('textbox').fill('3f9c2ab01d2e');
    await dialog.getByRole('button', { name: 'Run it' }).click();
    await page.getByRole('button', { name: 'Approve delivery-4' }).waitFor({ state: 'detached' });
  });

  it('show what forges were told and what they did not take, and the rules', async () => {
    await using opened = await app.open(signedIn('/admin?tab=deliveries'));
    const { page } = opened;
    await page.getByText('me/linux on main, topic/* touching mm/**: tree').waitFor();
    await page.getByText('https://api.github.com/ as check runs').waitFor();
    await page.getByRole('link', { name: 'Reports to forges' }).click();
    await page.getByText('try 3: POST repos/me/linux/statuses').waitFor();
    await page.getByText(/^next try in (?:9 min \d\d s|10 min 00 s)$/).waitFor();
    await page.getByRole('button', { name: 'Send again the report of a0b1c2d3e4f5' }).click();
  });
});

describe('retention', () => {
  it('shows what would go, and removes it after the count was typed', async () => {
    await using opened = await app.open(signedIn('/admin?tab=retention'));
    const { page } = opened;
    await page.getByRole('img', { name: /8\.7 GiB used of 40 GiB/ }).waitFor();
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('2 items would go').waitFor();
    await page.getByRole('button', { name: 'Remove now' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove this evidence?' });
    await dialog.getByRole('textbox').fill('remove 2');
    await dialog.getByRole('button', { name: 'Remove it' }).click();
    await page.getByText('2 items were removed').waitFor();
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('Nothing would be removed.').waitFor();
    expect(await page.evaluate('window.planted')).toBeUndefined();
  });
});

describe('the palette', () => {
  it('opens by keyboard, says what is chosen, goes there, and gives the focus back', async () => {
    await using opened = await app.open('/machines');
    const { page, errors } = opened;
    await page.getByRole('link', { name: 'v-switch' }).waitFor();
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox', { name: 'Go to anything' });
    await field.waitFor();
    await page.getByRole('option', { name: /^machine.*v-amd-roots/ }).waitFor({ state: 'attached' });
    expect(await accessibilityFindings(page)).toEqual([]);
    await page.keyboard.type('vintel');
    const chosen = page.getByRole('listbox', { name: 'Matches' }).getByRole('option', { selected: true });
    expect(await chosen.textContent()).toContain('v-intel-roots');
    expect(await field.getAttribute('aria-activedescendant')).toBe(await chosen.getAttribute('id'));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'v-intel-roots' }).waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);

    await page.keyboard.press(':');
    await field.fill('o');
    const first = await chosen.getAttribute('id');
    await page.keyboard.press('ArrowUp');
    expect(await chosen.getAttribute('id')).not.toBe(first);
    await page.keyboard.press('ArrowDown');
    expect(await chosen.getAttribute('id')).toBe(first);
    await page.keyboard.press('Escape');
    await field.waitFor({ state: 'detached' });
    expect(errors).toEqual([]);
  });

  it('takes every letter that is typed while its entries are still being fetched', async () => {
    await using opened = await app.open('/');
    const { page, errors } = opened;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await page.route(/\/assets\/Palette-.*\.js$/, async (route) => {
      await released;
      await route.continue();
    });
    await page.goto(`${app.url}/machines`);
    await page.getByRole('link', { name: 'v-switch' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('ggvin');
    release();
    const field = page.getByRole('combobox', { name: 'Go to anything' });
    await page.keyboard.type('tel');
    await page.getByText('No match.').waitFor();
    expect(await field.inputValue()).toBe('ggvintel');
    expect(new URL(page.url()).pathname).toBe('/machines');
    expect(errors).toEqual([]);
  });

  it('knows pages with their keys, themes, ids, and tests of the grid that was looked at', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    await page.getByRole('rowheader', { name: 'thp_alias' }).waitFor();
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox', { name: 'Go to anything' });
    await field.fill('thp_alias');
    await page.getByRole('option', { name: /p2p-functional\/thp_alias/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'alias_read' }).waitFor({ state: 'detached' });
    expect(new URL(page.url()).searchParams.get('q')).toBe('^p2p-functional/thp_alias$');

    await page.keyboard.press('Control+k');
    await field.fill('dark theme');
    await page.keyboard.press('Enter');
    await page.locator('html[data-theme="dark"]').waitFor();

    await page.keyboard.press('Control+k');
    await field.fill('kernel builds');
    expect(await page.getByRole('option', { selected: true }).locator('kbd').textContent()).toBe('g b');
    // What the farm has and no open page showed: a kernel by its build-id, a test, a metric, a combination.
    const listed = await fetch(`${app.url}/api/v1/builds`);
    const builds = (await listed.json()) as BuildSummary[];
    const kernel = builds.find(({ name }) => name === 'dma-alias')?.manifest?.buildId ?? '';
    await field.fill(kernel.slice(0, 8));
    await page.getByRole('option', { name: /^build-id.*dma-alias/ }).waitFor();
    for (const [typed, name] of [
      ['retired', /^test.*p2p-functional\/retired_test/],
      ['copy_device', /^metric.*copy_device/],
      ['combination v-switch', /^combination/],
    ] as const) {
      await field.fill(typed);
      await page.getByRole('option', { name }).first().waitFor();
    }
    await field.fill(app.farm.endedRun);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/runs/${app.farm.endedRun}`);

    await page.keyboard.press('g');
    await page.keyboard.press('b');
    await page.getByRole('heading', { name: 'Kernel builds' }).waitFor();
  });
});

describe('a run is shared', () => {
  it('as Markdown, as a link and as a badge, and its picture is an SVG', async () => {
    await using opened = await app.open(`/runs/${app.farm.endedRun}`);
    const { page, errors } = opened;
    await page.evaluate(
      "window.copied = []; Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (text) => { window.copied.push(text); } } })",
    );
    await page.getByText('Share', { exact: true }).click();
    const menu = page.locator('.share .menu-body');
    for (const name of ['Copy as Markdown', 'Copy link', 'Copy badge']) {
      const button = menu.locator('.copy').filter({ hasText: name });
      await button.getByText(name).click();
      await button.getByText('copied').waitFor();
    }
    const [report, link, badge] = await page.evaluate<string[]>('window.copied');
    expect(report).toMatch(/^## dma_alias, before and after\n\nRun /);
    expect(report).toContain('### Findings');
    expect(report).toContain('| v-switch | switch | BUS_ADDR |');
    // What it says, the page says: builds, findings, skips and figures.
    await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })");
    const plain = (text: string) => text.replaceAll(/[`*]/g, '').replaceAll(/\s+/g, ' ').trim();
    const shown = plain(await page.locator('main').innerText());
    const items = (report ?? '').split('\n').filter((line) => line.startsWith('- '));
    const said = items.map((line) => plain(line.slice(line.indexOf(': ') + 2)).split(', config')[0] ?? '');
    const cells = (report ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| ') && line.includes('ns/page'))
      .flatMap((line) => line.split('|').map(plain));
    expect(said.length).toBeGreaterThan(6);
    expect(cells.length).toBeGreaterThan(20);
    expect([...said, ...cells].filter((text) => !shown.includes(text))).toEqual([]);
    expect(link).toBe(`${app.url}/runs/${app.farm.endedRun}`);
    expect(badge).toBe(
      `[![dma_alias, before and after](${app.url}/api/v1/runs/${app.farm.endedRun}/badge.svg)](${link})`,
    );
    const loaded = page.getByRole('img', { name: /^badge of/ });
    await loaded.waitFor();
    expect(await page.evaluate("document.querySelector('.share img').naturalWidth")).toBeGreaterThan(0);
    expect(errors).toEqual([]);
  });

  it('on paper: without navigation and buttons, with the whole grid', async () => {
    await using opened = await app.open('/');
    const { page } = opened;
    await page.getByRole('rowheader', { name: 'thp_alias' }).waitFor();
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('header.top').isVisible()).toBe(false);
    expect(await page.evaluate("getComputedStyle(document.querySelector('.grid-scroll')).overflow")).toBe('visible');
    expect(await page.getByRole('rowheader', { name: 'thp_alias' }).isVisible()).toBe(true);
  });
});
