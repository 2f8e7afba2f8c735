import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** Chromium without windows; a page takes it 0.4 s of processor time where Chromium takes 1.1 s. */
const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell';

/**
 * Features that Chromium is started without. The first two draw in a process of their own for each context, which takes
 * as long as the page. This switch replaces playwright's own; the others are those of its list that matter to pages.
 */
const WITHOUT = [
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsFirstBalancedModeAutoEnable',
  'HttpsUpgrades',
  'MediaRouter',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PaintHolding',
  'PreconnectToSearch',
  'ThirdPartyStoragePartitioning',
];

/**
 * V8 without the compilers that pay only for scripts that run long. Pages of tests live for a second, and take a seventh
 * less processor time so; what is measured needs V8 as its users have it.
 */
const SHORT_LIVED = '--js-flags=--no-opt --no-maglev --no-sparkplug';

/** The program that `CHROMIUM` names, or else the one that Debian has. @param measured whether its speed is a result */
export function launchBrowser({ measured = false } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? (existsSync(HEADLESS_SHELL) ? HEADLESS_SHELL : '/usr/bin/chromium'),
    args: [
      ...(measured ? [] : [SHORT_LIVED]),
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--disable-features=${WITHOUT.join(',')}`,
    ],
  });
}
