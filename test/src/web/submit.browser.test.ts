import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityFindings, editorText, startWebApp, untilLoaded, type WebApp } from './web-app.js';

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

  it('keeps the form but greys it out while the YAML cannot be read, and shows problems at their fields', async () => {
    await using opened = await open();
    const { page, editor } = opened;
    await editor.fill('name: mine\nbuilds: [');
    await page.getByText('The YAML cannot be read; the form follows once it can.').waitFor();
    expect(await page.getByLabel('Name', { exact: true }).isDisabled()).toBe(true);
    await editor.fill('name: mine\nbuilds: [{name: a, series: []}]\npriority: 101\n');
    await page.getByRole('form', { name: 'Run as a form' }).locator('.form-problem').first().waitFor();
    expect(await page.getByLabel('Name', { exact: true }).isDisabled()).toBe(false);
  });
});

describe('the check', () => {
  it('says when each job could start, and when the first one does', async () => {
    await using opened = await open();
    const { page, editor } = opened;
    await page.getByText('first test in about 9 min, when its kernel is built; 1 machine cannot take it yet').waitFor();
    await page.getByText('after its build, about 9 min').first().waitFor();
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
    await page.getByRole('button', { name: 'Keep this run as a template' }).click();
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
  it('has no accessibility finding, with and without problems', { timeout: 120_000 }, async () => {
    await using opened = await open({ colorScheme });
    const { page, editor } = opened;
    await page.getByText('6 jobs on 3 machines').waitFor();
    await untilLoaded(page);
    expect(await accessibilityFindings(page)).toEqual([]);
    await editor.fill('name: x\nbuilds: []\npriority: 900\n');
    await page.locator('.form-problem').first().waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(opened.errors).toEqual([]);
  });
});

it('is not wider than a phone', async () => {
  await using opened = await open({ viewport: { width: 390, height: 844 } });
  const { page } = opened;
  await page.getByText('6 jobs on 3 machines').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
});
