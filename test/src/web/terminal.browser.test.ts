import { rm } from 'node:fs/promises';
import { UNDRAWN_MAX_BYTES, OUTPUT_MAX_BYTES } from '@peerlab/contracts';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTerminalFarm, type TerminalFarm } from '../terminal/terminal-farm.js';
import { expectSound } from './every-page.js';
import { buildWebUi, startBrowser, untilLoaded, type OpenPage, type WebApp } from './web-app.js';

/** Terminals in pages, over a real controller, the agent, and a machine on script behind a real SSH server. */

let webDir: string;
let all: TerminalFarm;
let browser: Pick<WebApp, 'open' | 'close'>;
beforeAll(async () => {
  webDir = await buildWebUi();
  all = await startTerminalFarm({ webDir });
  // So that it comes back at the same address.
  all.farm.settings.port = Number(new URL(all.farm.server.url).port);
  browser = await startBrowser(all.farm.server.url);
});
afterAll(async () => {
  await browser?.close();
  await all?.stop();
  if (webDir !== undefined) await rm(webDir, { recursive: true, force: true });
});
beforeEach(() => all.connect());
afterEach(() => all.disconnect());

/** A page with a terminal, signed in. */
async function sit(kind: 'shell' | 'console', token = all.farm.userToken): Promise<OpenPage & { typed: Typed }> {
  const opened = await browser.open(`/machines/${all.machine}/${kind}#token=${token}`);
  await untilState(opened.page, 'connected');
  return { ...opened, typed: typing(opened.page) };
}
const untilState = (page: Page, state: string) =>
  page.locator('.terminal-state .badge', { hasText: new RegExp(`${state}$`) }).waitFor();
/** Until a line of the terminal holds a text. */
const sees = (page: Page, text: string | RegExp) =>
  page.locator('.terminal-place .xterm-rows > div', { hasText: text }).first().waitFor();

type Typed = (line: string) => Promise<void>;
function typing(page: Page): Typed {
  return async (line) => {
    await page.getByRole('textbox', { name: /of v-switch/ }).focus();
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
  };
}

describe('a shell', () => {
  it('takes keys, gives output, follows the size of the window, and says how it ended', async () => {
    await all.reserve();
    await using opened = await sit('shell');
    const { page, typed } = opened;
    await sees(page, 'fake#');
    // The keyboard is in it from the beginning.
    await page.keyboard.type('uname');
    await page.keyboard.press('Enter');
    await sees(page, 'ran: uname');
    const size = async (): Promise<[number, number]> => {
      await typed('size');
      await sees(page, /^\d+ x \d+\s*$/);
      const lines = await page.locator('.terminal-place .xterm-rows > div').allTextContents();
      const [, columns, rows] = /^(\d+) x (\d+)/.exec(lines.findLast((line) => /^\d+ x/.test(line)) ?? '') ?? [];
      return [Number(columns), Number(rows)];
    };
    const [wide, high] = await size();
    expect(wide).toBeGreaterThan(120);
    expect(high).toBeGreaterThan(15);
    await page.setViewportSize({ width: 700, height: 900 });
    await all.farm.until('the smaller size', size, ([columns]) => columns < wide / 1.5);
    await expectSound(opened);
    // The row of keys of a narrow page.
    await page.keyboard.type('half');
    await page.getByRole('group', { name: 'Keys' }).getByRole('button', { name: 'Ctrl+D' }).click();
    await page.getByText('The shell ended with 0.').waitFor();
    await page.getByRole('button', { name: 'Open a new shell' }).click();
    await untilState(page, 'connected');
    await page.getByLabel('read aloud').check();
    await typed('aloud');
    await page.getByRole('list').getByText('ran: aloud').waitFor();
    await expectSound(opened);
    await page.getByLabel('read aloud').uncheck();
    await typed('exit 3');
    await page.getByText('The shell ended with 3.').waitFor();
    await page.getByRole('button', { name: 'Open a new shell' }).click();
    await untilState(page, 'connected');
    await sees(page, /^fake# *$/);
    expect(opened.errors).toEqual([]);
  });

  it('takes what is pasted as text, says when it is too long, and copies', async () => {
    await all.reserve();
    await using opened = await sit('shell');
    const { page } = opened;
    await sees(page, 'fake#');
    const paste = (text: string) =>
      page.evaluate(`
        const clipboardData = new DataTransfer();
        clipboardData.setData('text/plain', ${text});
        document.querySelector('.xterm-helper-textarea')
          .dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
      `);
    await paste(String.raw`'echo \u001b[201~pasted\n'`);
    await sees(page, 'ran: echo [201~pasted');
    await paste(`'x'.repeat(2_000_000)`);
    await page.getByText('Not pasted: it is longer than 1 MiB.').waitFor();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'copy what is selected, or all that is kept here' }).click();
    await page.getByText('copied', { exact: true }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain('ran: echo [201~pasted');
  });

  it('lets the keyboard out, to where Tab goes on', async () => {
    await all.reserve();
    await using opened = await sit('shell');
    const { page } = opened;
    await sees(page, 'fake#');
    await page.getByText('leaves the terminal by the keyboard').waitFor();
    await page.keyboard.press('Tab');
    const focused = () => page.evaluate<string>('document.activeElement.className + document.activeElement.tagName');
    expect(await focused()).toContain('xterm-helper-textarea');
    await page.keyboard.press('Control+m');
    expect(await focused()).toMatch(/BUTTON$/);
    await page.keyboard.press('Tab');
    expect(await focused()).toMatch(/INPUT$/);
  });

  it('draws a flood at its own pace, stays usable meanwhile, and loses nothing', async () => {
    await all.reserve();
    const opened = await browser.open('/');
    await using _ = opened;
    const { page } = opened;
    await page.addInitScript(WATCH_TRAFFIC);
    await page.goto(`${all.farm.server.url}/machines/${all.machine}/shell#token=${all.farm.userToken}`);
    await untilState(page, 'connected');
    await sees(page, 'fake#');
    const bytes = 5_000_000;
    await typing(page)(`flood ${bytes}`);
    const look = () =>
      page.evaluate<{ received: number; drawn: number; undrawn: number; stall: number }>('window.traffic');
    await all.farm.until('the flood', look, ({ received }) => received > bytes / 10);
    // Not only the script: what is pressed is acted on while it floods.
    await page.getByRole('button', { name: 'keyboard shortcuts' }).click();
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    const { received } = await look();
    expect(received).toBeLessThan(bytes);
    await page.keyboard.press('Escape');
    await sees(page, 'flooded');
    const end = await look();
    const [record] = await all.records();
    expect(end.received).toBe((record?.keptBytes ?? 0) + (record?.removedBytes ?? 0));
    expect(end.received).toBeGreaterThan(bytes);
    expect(end.drawn).toBeGreaterThan(bytes - 32 * 1024);
    expect(end.undrawn).toBeLessThanOrEqual(UNDRAWN_MAX_BYTES + OUTPUT_MAX_BYTES);
    // On a busy computer; an idle one draws for 12 ms at a time.
    expect(end.stall).toBeLessThan(1500);
  });

  it('is another one in each tab', async () => {
    await all.reserve();
    await using first = await sit('shell');
    const page = await first.page.context().newPage();
    await page.goto(`${all.farm.server.url}/machines/${all.machine}/shell`);
    await untilState(page, 'connected');
    await typing(page)('second');
    await sees(page, 'ran: second');
    await first.typed('first');
    await sees(first.page, 'ran: first');
    expect(await page.getByText('ran: first').count()).toBe(0);
    await page.close();
    await all.farm.until(
      'the end of the one',
      all.records,
      (all) => all.filter(({ closedAt }) => closedAt === null).length === 1,
    );
    await first.typed('again');
    await sees(first.page, 'ran: again');
  });

  it('ends with the reservation, keeps what it printed, and says how to get another one', async () => {
    await all.reserve();
    await using opened = await sit('shell');
    const { page, typed } = opened;
    await typed('kept');
    await sees(page, 'ran: kept');
    const [held] = await all.reservations();
    await all.farm.call('returnMachine', { params: { reservation: held?.id ?? '' }, body: {} });
    await page.getByText('The reservation is over.').waitFor();
    await sees(page, 'ran: kept');
    await page.getByText('v-switch is not reserved.').waitFor();
    expect(await page.getByRole('button', { name: 'Open a new shell' }).count()).toBe(0);
    await expectSound(opened);
    await page.getByRole('button', { name: 'Reserve', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Reserve v-switch?' });
    await dialog.getByRole('textbox').fill('once more');
    await dialog.getByRole('button', { name: 'Reserve v-switch' }).click();
    await page.getByRole('button', { name: 'Open a new shell' }).click();
    await untilState(page, 'connected');
  });

  it('is lost with its controller; a new one is opened when it is asked for', async () => {
    await all.reserve();
    await using opened = await sit('shell');
    const { page, typed } = opened;
    await typed('before');
    await sees(page, 'ran: before');
    await all.farm.restart();
    await page.getByText('The shell ended with it.').waitFor();
    await sees(page, 'ran: before');
    await all.farm.until('the agent', all.isConnected);
    await page.getByRole('button', { name: 'Open a new shell' }).click();
    await untilState(page, 'connected');
    await typed('after');
    await sees(page, 'ran: after');
  });

  it('is refused to others with who has it, and to nobody known with how to sign in', async () => {
    await using stranger = await browser.open(`/machines/${all.machine}/shell`);
    await stranger.page.getByText('You are not signed in.').waitFor();
    await expectSound(stranger);
    const bob = await all.farm.token('user', 'bob');
    await using opened = await browser.open(`/machines/${all.machine}/shell#token=${bob}`);
    const { page } = opened;
    await page.getByText('v-switch is not reserved.').waitFor();
    await page.getByRole('button', { name: 'Reserve', exact: true }).waitFor();
    await all.reserve();
    await page.getByText('v-switch is reserved by tester.').waitFor();
    await expectSound(opened);
    expect((await all.records()).filter(({ by }) => by === 'bob')).toEqual([]);
  });
});

describe('a console', () => {
  it('is shown to every user, takes no keys, and comes back by itself after a restart of the controller', async () => {
    all.lab.fake.console('[    1.0] before');
    await using opened = await sit('console', await all.farm.token('user', 'ann'));
    const { page } = opened;
    await sees(page, '[    1.0] before');
    await page.keyboard.type('x');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).not.toContain('xterm');
    await expectSound(opened);
    await all.farm.restart();
    await sees(page, 'connected again');
    await untilState(page, 'connected');
    all.lab.fake.console('[    2.0] after');
    await sees(page, '[    2.0] after');
  });

  it('keeps what a machine prints within the terminal', async () => {
    await using opened = await sit('console');
    const { page } = opened;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.evaluate(`navigator.clipboard.writeText('mine')`);
    const title = await page.title();
    const esc = '\u001b';
    const bell = '\u0007';
    const sent: string[] = [];
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
    for (const text of [
      `${esc}]0;owned${bell}`,
      `${esc}]2;owned${esc}\\`,
      `${esc}]52;c;b3duZWQ=${bell}`,
      `${esc}]8;;https://evil.example/${bell}click here${esc}]8;;${bell}`,
      `https://evil.example/plain`,
      `${esc}]11;#ffffff${bell}${esc}]10;#ffffff${bell}`,
      // Asks who it is, where the cursor is, what its title is; wants the mouse; resizes the window.
      `${esc}[c${esc}[6n${esc}[21t${esc}[?1003h${esc}[8;5;5t`,
      '<img src=x onerror="window.planted=1">',
      `${esc}[31mred at the end`,
    ])
      all.lab.fake.console(text);
    await sees(page, 'red at the end');
    await sees(page, 'click here');
    expect(await page.title()).toBe(title);
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('mine');
    expect(await page.locator('.terminal-place a, .terminal-place img').count()).toBe(0);
    const pages = page.context().pages().length;
    // Over the letters lies what takes the mouse.
    await page.getByText('click here').click({ force: true });
    await page.getByText('evil.example/plain').click({ modifiers: ['ControlOrMeta'], force: true });
    expect(page.context().pages()).toHaveLength(pages);
    expect(page.url()).toBe(`${all.farm.server.url}/machines/${all.machine}/console`);
    expect(await page.locator('.xterm.enable-mouse-events').count()).toBe(0);
    const ground = () =>
      page.evaluate('getComputedStyle(document.querySelector(".xterm-scrollable-element")).backgroundColor');
    expect(await ground()).not.toBe('rgb(255, 255, 255)');
    expect(sent).toEqual([]);
    await expectSound(opened);
  });
});

describe('recorded terminals', () => {
  it('stand on the page of the machine for who is signed in, and are shown as they were', async () => {
    await all.reserve();
    const shell = await sit('shell');
    await sees(shell.page, 'fake#');
    await shell.typed('to be kept');
    await sees(shell.page, 'ran: to be kept');
    await shell.typed('exit 0');
    await shell.page.getByText('The shell ended with 0.').waitFor();
    await shell[Symbol.asyncDispose]();
    await using opened = await browser.open(`/machines/${all.machine}#token=${all.farm.userToken}`);
    const { page } = opened;
    await untilLoaded(page);
    const list = page.getByRole('region', { name: 'Recorded terminals' });
    await list.getByText('the shell ended with 0').first().waitFor();
    await expectSound(opened);
    await list.getByRole('link', { name: 'shell' }).first().click();
    await sees(page, 'ran: to be kept');
    await page.getByText('the shell ended with 0').waitFor();
    await expectSound(opened);
    await using stranger = await browser.open(`/machines/${all.machine}`);
    await untilLoaded(stranger.page);
    await stranger.page.getByRole('link', { name: 'Console', exact: true }).waitFor();
    expect(await stranger.page.getByText('Recorded terminals').count()).toBe(0);
  });
});

/** Counts the bytes of every WebSocket's binary frames and what the page says it drew, and how long the page did nothing else. */
const WATCH_TRAFFIC = `
  window.traffic = { received: 0, drawn: 0, undrawn: 0, stall: 0 };
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (typeof data === 'string' && data.startsWith('{"type":"drawn"')) traffic.drawn = JSON.parse(data).bytes;
    return send.call(this, data);
  };
  const add = WebSocket.prototype.addEventListener;
  WebSocket.prototype.addEventListener = function (type, listener) {
    return add.call(this, type, type !== 'message' ? listener : (event) => {
      if (event.data instanceof ArrayBuffer) {
        traffic.received += event.data.byteLength;
        traffic.undrawn = Math.max(traffic.undrawn, traffic.received - traffic.drawn);
      }
      listener(event);
    });
  };
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (traffic.received > 100_000) traffic.stall = Math.max(traffic.stall, now - last);
    last = now;
  }, 20);
`;
