import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Result } from 'axe-core';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';
import { launchBrowser } from './browser.js';
import { SHARED_BUILD } from './build-setup.js';
import { SampleFarm } from './sample-farm.js';

const WEB = fileURLToPath(new URL('../../../apps/web', import.meta.url));

/** The web UI, built from its source and served by a sample farm, in a real browser. */
export interface WebApp {
  farm: SampleFarm;
  url: string;
  /** A page in its own context: nothing stored, and every script error fails the test that closes it. */
  open: (path: string, options?: BrowserContextOptions) => Promise<OpenPage>;
  close: () => Promise<void>;
}

export interface OpenPage extends AsyncDisposable {
  page: Page;
  /** Errors of scripts and of the Content-Security-Policy so far. */
  errors: string[];
}

export async function startWebApp(): Promise<WebApp> {
  const outDir = await buildWebUi();
  const farm = new SampleFarm(outDir);
  const url = await farm.start();
  const browser = await startBrowser(url);
  return {
    farm,
    url,
    open: browser.open,
    async close() {
      await browser.close();
      await farm.stop();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/**
 * The production build of the web UI from its sources, in a new folder; the caller removes it. One build serves all
 * files of a test run.
 */
export async function buildWebUi(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'peerlab-web-'));
  const shared = process.env[SHARED_BUILD];
  if (shared === undefined) await runBuild(outDir);
  else await cp(await sharedBuild(shared), outDir, { recursive: true });
  return outDir;
}

/** The build in the folder of this test run, made by whichever worker is first. */
async function sharedBuild(folder: string): Promise<string> {
  const finished = join(folder, 'finished');
  const isFirst = await mkdir(join(folder, 'begun')).then(
    () => true,
    () => false,
  );
  if (isFirst) {
    try {
      await runBuild(join(folder, 'partial'));
      await rename(join(folder, 'partial'), finished);
    } finally {
      // After a failure the next caller tries again and reports its own error.
      if (!existsSync(finished)) await rm(join(folder, 'begun'), { recursive: true });
    }
  }
  while (!existsSync(finished)) {
    if (!existsSync(join(folder, 'begun'))) return sharedBuild(folder);
    await delay(100);
  }
  return finished;
}

async function runBuild(outDir: string): Promise<void> {
  const mode = process.env['NODE_ENV'];
  // The test runner's own mode would bundle the development version of React, which is another program.
  process.env['NODE_ENV'] = 'production';
  try {
    await build({ root: WEB, logLevel: 'error', build: { outDir, emptyOutDir: true, sourcemap: false } });
  } finally {
    if (mode === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = mode;
  }
}

/** For whatever a page is awaited to show: below the time limit of a test. */
const WAIT_MS = 75_000;

/** A real browser whose pages are below `url` (without a final slash). */
export async function startBrowser(url: string): Promise<Pick<WebApp, 'open' | 'close'>> {
  const browser = await launchBrowser();
  return {
    async open(path, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      context.setDefaultTimeout(WAIT_MS);
      const page = await context.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      await page.addInitScript(
        "addEventListener('securitypolicyviolation', (event) => console.error('CSP ' + event.violatedDirective + ' ' + event.blockedURI))",
      );
      page.on('console', (message) => {
        if (message.text().startsWith('CSP ')) errors.push(message.text());
      });
      await page.goto(url + path);
      return { page, errors, [Symbol.asyncDispose]: () => context.close() };
    },
    close: () => browser.close(),
  };
}

/** Until no part of the page is on its way any more. */
export async function untilLoaded(page: Page): Promise<void> {
  await page.locator('main:not(:has(.loading))').waitFor();
}

/** What the YAML editor of the submit page holds, as far as it is in view. */
export async function editorText(page: Page): Promise<string> {
  return (await page.locator('.editor .cm-line').allTextContents()).join('\n');
}

/** Puts a text in place of all that the YAML editor holds, as by select all and paste. */
export async function pasteYaml(page: Page, text: string): Promise<void> {
  const editor = page.getByRole('textbox', { name: 'Run as YAML' });
  await editor.press('ControlOrMeta+a');
  if (text === '') await editor.press('Delete');
  else {
    await page.evaluate(`
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', ${JSON.stringify(text)});
      document.querySelector('.editor').shadowRoot.querySelector('.cm-content')
        .dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    `);
  }
}

/** The minified script, which defines `window.axe`: as its source it is 1.5 MB that the page has to parse. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Rule, target and help of every accessibility finding (WCAG 2.2 A and AA, and axe's good practices). Our pages have
 * no frames. The script stays in a page for the next call.
 */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  if (page.frames().length > 1) throw new Error('a page with frames: axe would look at the outermost only');
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(AXE);
  const violations = await page.evaluate<Result[]>(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)",
  );
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${help} ${failureSummary ?? ''}`),
  );
}
