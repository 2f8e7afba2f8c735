import { RunFile } from '@peerlab/contracts';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { accessibilityFindings, editorText, pasteYaml, startWebApp, untilLoaded, type WebApp } from './web-app.js';

let app: WebApp;
beforeAll(async () => {
  app = await startWebApp();
});
afterAll(async () => {
  await app?.close();
});

async function open(options?: Parameters<WebApp['open']>[1], path = '/submit') {
  const opened = await app.open(path, options);
  await opened.page.getByLabel('Name', { exact: true }).waitFor();
  return {
    ...opened,
    editor: opened.page.getByRole('textbox', { name: 'Run as YAML' }),
    text: () => editorText(opened.page),
    [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
  };
}

const list = (page: Page) => page.getByRole('listbox', { name: 'Completions' });

describe('form and YAML', () => {
  it('change each other, and comments stay', async () => {
    await using opened = await open();
    const { page, editor, text } = opened;
    await editor.fill('# why\nname: mine # short\nbuilds:\n  - name: base\n    series: []\n');
    const name = page.getByLabel('Name', { exact: true });
    await expect.poll(() => name.inputValue()).toBe('mine');
    await name.fill('yours');
    expect(await text()).toContain('# why\nname: yours # short\n');
    await name.press('ControlOrMeta+a');
    await name.pressSequentially('yours: 1');
    expect(await name.inputValue()).toBe('yours: 1');
    expect(await text()).toContain('# why\nname: "yours: 1" # short\n');
    await page.getByRole('button', { name: '+ bundled series' }).click();
    await page.getByLabel('kunit').check();
    await page.getByLabel('add a machine').selectOption('v-switch');
    await page.getByLabel('BUS_ADDR').check();
    // By key: the first of them alone is no allowed value.
    await page.getByLabel('Boot limit (s)').pressSequentially('90');
    const yaml = await text();
    for (const part of ['- name: patched', 'series: [bundled]', 'kunit', 'v-switch', 'BUS_ADDR', 'bootSeconds: 90']) {
      expect(yaml).toContain(part);
    }
    await page.getByText('2 jobs on 1 machine').waitFor();
    await page.getByRole('button', { name: 'remove machine v-switch' }).click();
    await page.getByRole('button', { name: 'remove build base' }).click();
    expect(await text()).not.toMatch(/v-switch|- name: base/);
  });

  it('sets all that a run file may say of roles, without a loss in the YAML', async () => {
    await using opened = await open();
    const { page, editor, text } = opened;
    await editor.fill(
      'name: pair # short\nbuilds:\n  - name: base\n    series: []\n  - {name: new, series: [bundled]}\n',
    );
    await page.getByRole('button', { name: '+ several machines in each job' }).click();
    await page.getByLabel('add a kernel of server').selectOption('new');
    await page.getByLabel('add a label that the machines share').selectOption('arch');
    await page.getByText('Labels, path, suites and port of server').click();
    await page.getByLabel('add a label of server').selectOption('cpu=amd');
    await page.getByLabel('add a kind of peer path of server').selectOption('BUS_ADDR');
    await page.getByLabel('add a suite of server').selectOption('p2p-functional');
    await page.getByLabel('RDMA device of server').fill('mlx5_0');
    const yaml = await text();
    expect(yaml).toContain('name: pair # short');
    const { roles, relation } = RunFile.parse(parse(yaml));
    expect(relation).toEqual({ sameLabels: ['arch'] });
    expect(roles).toEqual([
      { name: 'client' },
      {
        name: 'server',
        builds: ['new'],
        machines: { labels: { cpu: 'amd' }, paths: ['BUS_ADDR'] },
        suites: ['p2p-functional'],
        rdmaDevice: 'mlx5_0',
      },
    ]);
    expect(await accessibilityFindings(page)).toEqual([]);
    // What is set stays in sight when the form is opened anew; what is taken away leaves the YAML.
    await page.getByRole('button', { name: 'remove label of server cpu=amd' }).click();
    await page.getByRole('button', { name: 'remove label that the machines share arch' }).click();
    expect(await text()).not.toMatch(/cpu: amd|relation/);
  });

  it('takes a tree of a repository with a series on top', async () => {
    await using opened = await open();
    const { page, editor, text } = opened;
    await editor.fill('name: mine # short\nbuilds:\n  - name: base\n    series: []\n');
    await page.getByRole('button', { name: '+ git tree' }).click();
    await page.getByLabel('repository of build 2').fill('https://git.example.org/linux.git');
    await page.getByLabel('branch, tag or commit of build 2').fill('refs/pull/7/head');
    await page.getByRole('button', { name: '+ bundled series' }).first().click();
    expect(await text()).toContain('git: {url: https://git.example.org/linux.git, ref: refs/pull/7/head}');
    expect(await text()).toContain('name: mine # short');
    const patch = 'From 0 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: fix\n\n---\n--- a/x\n+++ b/x\n';
    await page
      .getByLabel('series on top of build 2')
      .setInputFiles({ name: 'fix.mbox', mimeType: 'text/plain', buffer: Buffer.from(patch) });
    await page.getByText('with the bundled series, then an mbox of 1 KiB').waitFor();
    expect(await text()).toContain('Subject: fix');
    expect(await accessibilityFindings(page)).toEqual([]);
    await page.getByLabel('what build 2 is made of').selectOption('base');
    expect(await text()).not.toContain('git.example.org');
  });

  it('keeps the form but greys it out while the YAML cannot be read, and shows problems at their fields', async () => {
    await using opened = await open();
    const { page, editor } = opened;
    await editor.fill('name: mine\nbuilds: [');
    await page.getByText('The YAML does not parse; correct it to use the form.').waitFor();
    expect(await page.getByLabel('Name', { exact: true }).isDisabled()).toBe(true);
    await editor.fill('name: mine\nbuilds: [{name: a, series: []}]\npriority: 101\n');
    await page.getByRole('form', { name: 'Run as a form' }).locator('.form-problem').first().waitFor();
    expect(await page.getByLabel('Name', { exact: true }).isDisabled()).toBe(false);
  });
});

describe('completion', () => {
  /** Chooses the option that begins so by arrows and takes it. */
  async function take({ page }: { page: Page }, name: RegExp, key: 'Enter' | 'Tab'): Promise<void> {
    const option = list(page).getByRole('option', { name });
    await option.waitFor();
    await expect
      .poll(async () => {
        await page.keyboard.press(key === 'Tab' ? 'ArrowUp' : 'ArrowDown');
        return option.getAttribute('aria-selected');
      })
      .toBe('true');
    await page.keyboard.press(key);
    await option.waitFor({ state: 'detached' });
  }

  it('writes a run from nothing, by keyboard', async () => {
    await using opened = await open();
    const { page, editor, text } = opened;
    page.setDefaultTimeout(4000);
    await pasteYaml(page, '');
    await editor.press('Control+Space');
    await list(page).waitFor();
    const first = list(page).getByRole('option', { name: /^name/ });
    expect(await editor.getAttribute('aria-activedescendant')).toBe(await first.getAttribute('id'));
    await page.getByText('what the run is for, in a few words').waitFor();
    await take(opened, /^name/, 'Enter');
    await page.keyboard.type('by hand\nbu');
    await take(opened, /^builds/, 'Tab');
    expect(await text()).toBe('name: by hand\nbuilds:\n  - ');
    await page.keyboard.type('n');
    await take(opened, /^name/, 'Enter');
    await page.keyboard.type('mine\nser');
    await take(opened, /^series/, 'Enter');
    // The values of a key that was just taken open by themselves.
    await take(opened, /^bundled/, 'Enter');
    await editor.press('End');
    await editor.press('Enter');
    await editor.press('Home');
    await page.keyboard.type('mach');
    expect(await list(page).getByRole('option').allTextContents()).not.toContain('name');
    await page.keyboard.press('Escape');
    expect(await list(page).count()).toBe(0);
    await pasteYaml(page, 'name: by hand\nbuilds:\n  - name: mine\n    series: [bundled]\nmachines:\n  names: ');
    await editor.press('ControlOrMeta+End');
    await page.keyboard.type('[v-');
    // From the fleet.
    await take(opened, /^v-switch/, 'Enter');
    await expect.poll(text).toContain('names: [v-switch]');
    await page.getByText('1 job on 1 machine').waitFor();
    expect(opened.errors).toEqual([]);
  }, 60_000);

  it('takes what is clicked, and undo takes it back', async () => {
    await using opened = await open();
    const { page, editor, text } = opened;
    await pasteYaml(page, 'name: x\n');
    await editor.press('ControlOrMeta+End');
    await editor.press('Control+Space');
    await list(page)
      .getByRole('option', { name: /^timeouts/ })
      .click();
    expect(await text()).toBe('name: x\ntimeouts:\n  ');
    expect(await editor.evaluate('document.activeElement?.className')).toBe('editor');
    await editor.press('ControlOrMeta+z');
    expect(await text()).toBe('name: x\n');
  });

  it('leaves Tab to the page, and no shortcut of the page to what is typed', async () => {
    await using opened = await open();
    const { page, editor } = opened;
    await pasteYaml(page, '');
    await page.keyboard.type('# g s ? / : j k');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await editorText(page)).toBe('# g s ? / : j k');
    await pasteYaml(page, 'name: x\nbuilds: [{name: a, series: []}]\n');
    await editor.press('Tab');
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('Submit');
  });
});

it('marks a problem where it stands and goes from one to the next by key', async () => {
  await using opened = await open();
  const { page, editor, text } = opened;
  await pasteYaml(page, 'name: x\nbuilds: [{name: a, series: []}]\npriority: 900\ntimeouts: {bootSeconds: 5}\n');
  const marked = () => page.locator('.cm-lintRange-error').allTextContents();
  await expect.poll(marked).toEqual(['900', '5']);
  expect(await editor.getAttribute('aria-invalid')).toBe('true');
  await editor.press('ControlOrMeta+Home');
  await editor.press('F8');
  await page.keyboard.type('90');
  await expect.poll(marked).toEqual(['5']);
  await editor.press('F8');
  await page.keyboard.type('50');
  await page.getByText('3 jobs on 3 machines').waitFor();
  expect(await text()).toContain('priority: 90\ntimeouts: {bootSeconds: 50}');
  expect(await editor.getAttribute('aria-invalid')).toBe('false');
});

describe('the check', () => {
  it('says when each job could start, and when the first one does', async () => {
    await using opened = await open();
    const { page, editor } = opened;
    await page.getByText('first test in about 9 min, when its kernel is built; 1 machine cannot take it yet').waitFor();
    await page.getByText('after its build, about 9 min').first().waitFor();
    await page.getByText('base: must be built, about 9 min, from 3 builds of this size').waitFor();
    await page
      .getByText(/v-intel-roots is offline: SSH to/)
      .first()
      .waitFor();
    await editor.fill(`name: x\nbuilds: [{name: b, bundle: ${'a'.repeat(64)}}]\nmachines: {names: [v-switch]}\n`);
    await page.getByText('starts now on 1 machine').waitFor();
    await page.getByText('now on v-switch').waitFor();
  });
});

describe('starting points', () => {
  it('are examples, a clone of a run, and one’s own templates over a reload', async () => {
    await using opened = await open();
    const { page, text } = opened;
    await page.getByRole('button', { name: /^One path kind/ }).click();
    await expect.poll(text).toContain('paths: [BUS_ADDR]');
    await page.getByLabel('name of the template').fill('switch only');
    await page.getByRole('button', { name: 'Save this run as a template' }).click();
    const own = page.getByRole('button', { name: 'switch only', exact: true });
    await own.waitFor();
    await page.getByLabel('a clone of').selectOption(app.farm.endedRun);
    await page.getByText('Loaded from run dma_alias, before and after.').waitFor();
    expect(new URL(page.url()).searchParams.get('from')).toBe(app.farm.endedRun);
    await page.goto(`${app.url}/submit`);
    await own.click();
    await expect.poll(text).toContain('paths: [BUS_ADDR]');
    await page.getByRole('button', { name: 'remove your template switch only' }).click();
    await own.waitFor({ state: 'detached' });
  });
});

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  it('has no accessibility finding, with and without problems', async () => {
    await using opened = await open({ colorScheme });
    const { page, editor } = opened;
    await page.getByText('6 jobs on 3 machines').waitFor();
    await untilLoaded(page);
    expect(await accessibilityFindings(page)).toEqual([]);
    await pasteYaml(page, 'name: x\nbuilds: []\npriority: 900\n');
    await page.locator('.form-problem').first().waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    // With a list open, and with the panel to find in the text.
    await editor.press('ControlOrMeta+End');
    await editor.press('Control+Space');
    await list(page)
      .getByRole('option', { name: /^timeouts/ })
      .waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    await editor.press('Escape');
    await editor.press('ControlOrMeta+f');
    await page.getByRole('textbox', { name: 'Find' }).waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(opened.errors).toEqual([]);
  });
});

it('loads a run again that is chosen again', async () => {
  await using opened = await open();
  const { page, text } = opened;
  const choice = page.getByLabel('a clone of');
  await choice.selectOption(app.farm.endedRun);
  await page.getByText('Loaded from run dma_alias, before and after.').waitFor();
  const loaded = await text();
  await pasteYaml(page, 'name: something else\n');
  await page.getByText('Loaded from run dma_alias, before and after.').waitFor({ state: 'detached' });
  await choice.selectOption(app.farm.endedRun);
  await page.getByText('Loaded from run dma_alias, before and after.').waitFor();
  expect(await text()).toBe(loaded);
  await page.getByRole('button', { name: 'Undo' }).click();
  expect(await text()).toBe('name: something else\n');
});

it('says since when an agent is silent, as an age with the exact time', async () => {
  await using opened = await open();
  const { page } = opened;
  const intel = app.farm.machines.find(({ observed }) => observed === 'offline');
  if (intel === undefined) throw new Error('one machine of the sample lab is offline');
  const { problem, lastSeenAt } = intel;
  try {
    intel.problem = null;
    intel.lastSeenAt = new Date(Date.now() - 3 * 3_600_000).toISOString();
    await pasteYaml(page, 'name: x\nbuilds: [{name: a, series: []}]\n');
    await page.getByText(/its agent \S+ is silent, last seen 3 h ago/).waitFor();
    expect(await page.locator('.plan time').getAttribute('title')).toMatch(/\d{4}/);
    expect(await page.locator('.plan').textContent()).not.toMatch(/\d{4}-\d\d-\d\dT/);
  } finally {
    Object.assign(intel, { problem, lastSeenAt });
  }
});

it('is not wider than a phone, with a list open too', async () => {
  await using opened = await open({ viewport: { width: 390, height: 844 } });
  const { page } = opened;
  await page.getByText('6 jobs on 3 machines').waitFor();
  const editor = page.getByRole('textbox', { name: 'Run as YAML' });
  await editor.press('ControlOrMeta+End');
  await editor.press('Control+Space');
  await list(page).waitFor();
  const box = await list(page).boundingBox();
  expect(box === null ? 391 : box.x + box.width).toBeLessThanOrEqual(390);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
});
