import { rm } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { startTerminalFarm, type TerminalFarm } from '../terminal/terminal-farm.js';
import { checkEveryPage } from './every-page.js';
import { buildWebUi, startBrowser, type WebApp } from './web-app.js';

/** How the pages of terminals look, over a real controller and a machine on script. */

let webDir: string;
let all: TerminalFarm;
let browser: Pick<WebApp, 'open' | 'close'>;
let bob: string;
let recorded: string;
beforeAll(async () => {
  webDir = await buildWebUi();
  all = await startTerminalFarm({ webDir });
  await all.connect();
  bob = await all.farm.token('user', 'bob');
  await all.reserve();
  browser = await startBrowser(all.farm.server.url);
  for (let at = 0; at < 60; at += 1)
    all.lab.fake.console(
      `[   ${(at / 7).toFixed(6)}] pci 0000:0${at % 8}:00.0: BAR 2 [mem 0x${at}000000-0x${at}ffffff 64bit pref]: assigned`,
    );
  all.lab.fake.console('\u001b[32m[  OK  ]\u001b[0m Reached target \u001b[1mMulti-User System\u001b[0m.');
  await using opened = await browser.open(`/machines/${all.machine}/shell#token=${all.farm.userToken}`);
  await fill(opened.page);
  await opened.page.keyboard.type('exit 3\n');
  await opened.page.getByText('The shell ended with 3.').waitFor();
  const [newest] = await all.farm.until('the end', all.records, ([one]) => one?.closedAt !== null);
  recorded = newest?.id ?? '';
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await all?.disconnect();
  await all?.stop();
  if (webDir !== undefined) await rm(webDir, { recursive: true, force: true });
});

const rows = (page: Page) => page.locator('.terminal-place .xterm-rows > div');
const COLOURS = [31, 32, 33, 34, 35, 36, 37, 90, 92]
  .map((colour) => `\u001b[${colour}mcolour ${colour}\u001b[0m`)
  .join(' ');
const LINES = [
  'total 48',
  '\u001b[1;34mdrwxr-xr-x\u001b[0m 2 root root 4096 Dec  1 05:00 \u001b[1;34mp2p-functional\u001b[0m',
  '-rw-r--r-- 1 root root  812 Dec  1 05:00 a-name-that-is-longer-than-a-phone-is-wide-and-has-to-go-on-in-the-next-line.log',
  COLOURS,
  '\u001b[30;42m black on green \u001b[0m \u001b[37;41m white on red \u001b[0m \u001b[7m reversed \u001b[0m \u001b[38;5;250m pale grey \u001b[0m',
];
/** Some output, with colours. */
async function fill(page: Page): Promise<void> {
  await rows(page).filter({ hasText: 'fake#' }).first().waitFor();
  for (const line of LINES) await page.keyboard.type(`print ${JSON.stringify(line).replaceAll(' ', '\\u0020')}\n`);
  await rows(page).filter({ hasText: 'reversed' }).last().waitFor();
}

const filled = new WeakSet<Page>();
checkEveryPage(
  (path, options) => browser.open(path, options),
  {
    shell: () => `/machines/${all.machine}/shell#token=${all.farm.userToken}`,
    console: () => `/machines/${all.machine}/console#token=${bob}`,
    'shell of somebody else': () => `/machines/${all.machine}/shell#token=${bob}`,
    'terminal not signed in': () => `/machines/${all.machine}/console`,
    'recorded terminal': () => `/machines/${all.machine}/terminals/${recorded}#token=${bob}`,
    'machine with terminals': () => `/machines/${all.machine}#token=${all.farm.userToken}`,
  },
  {
    shell: async (page) => {
      if (!filled.has(page)) await fill(page);
      filled.add(page);
    },
    console: (page) => rows(page).filter({ hasText: 'Multi-User' }).waitFor(),
    'recorded terminal': (page) => rows(page).filter({ hasText: 'reversed' }).last().waitFor(),
    'machine with terminals': (page) => page.getByText('Recorded terminals').waitFor(),
  },
);
