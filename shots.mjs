import { chromium } from 'playwright-core';
import { existsSync, readFileSync, mkdirSync } from 'node:fs';
const [base, out, ...paths] = process.argv.slice(2);
const token = readFileSync('/var/tmp/pair/user.token', 'utf8').trim();
mkdirSync(out, { recursive: true });
const shell = '/usr/bin/chromium-headless-shell';
const browser = await chromium.launch({ executablePath: existsSync(shell) ? shell : '/usr/bin/chromium', args: ['--no-sandbox'] });
for (const [name, size, scheme] of [['light', { width: 1280, height: 900 }, 'light'], ['dark', { width: 1280, height: 900 }, 'dark'], ['phone', { width: 390, height: 844 }, 'light']]) {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme });
  const page = await context.newPage();
  page.on('console', (m) => m.type() === 'error' && console.log('console', m.text()));
  page.on('pageerror', (e) => console.log('pageerror', e.message));
  await page.goto(`${base}/#token=${token}`, { waitUntil: 'networkidle', timeout: 90000 });
  for (const [i, path] of paths.entries()) {
    await page.goto(base + path, { timeout: 90000 });
    await page.waitForLoadState('networkidle', { timeout: 90000 }).catch(() => console.log('not idle', path));
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${out}/${i}-${name}.png`, fullPage: true, timeout: 60000 });
    console.log(name, path, await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth, document.documentElement.scrollHeight]));
  }
  await context.close();
}
await browser.close();
