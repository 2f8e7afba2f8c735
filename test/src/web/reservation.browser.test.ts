import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { accessibilityFindings, untilLoaded } from './web-app.js';

let app: EvidenceApp;
let machine: string;
beforeAll(async () => {
  app = await startEvidenceApp(1);
  machine = app.evidence.hardware.BUS_ADDR.machine;
  await app.farm.sql.run('update agent set restores = true');
  await app.farm.sql.run('update machine set held_participant = null');
});
afterAll(() => app?.close());

const THEMES = [
  { name: 'light', options: { colorScheme: 'light' as const } },
  { name: 'dark, on a phone', options: { colorScheme: 'dark' as const, viewport: { width: 390, height: 844 } } },
];

describe('a machine', () => {
  it.each(THEMES)('is reserved with a reason, extended and given back ($name)', async ({ options }) => {
    const reason = 'looks at <b>firmware</b>';
    await using opened = await app.open(`/machines/${machine}#token=${app.farm.userToken}`, options);
    const { page } = opened;
    await page.getByRole('button', { name: 'Reserve', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `Reserve ${machine}?` });
    const confirm = dialog.getByRole('button', { name: `Reserve ${machine}` });
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel('For how long, from now').selectOption('8 hours');
    await dialog.getByRole('textbox').fill(reason);
    expect(await accessibilityFindings(page)).toEqual([]);
    await confirm.click();
    await page.getByText(/^Reserved by tester, goes back in (8 h 00|7 h 59) min: looks at <b>firmware<\/b>$/).waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);

    await page.getByRole('button', { name: 'Extend', exact: true }).click();
    const again = page.getByRole('dialog', { name: `Extend ${machine}?` });
    await again.getByLabel('For how long, from now').selectOption('3 days');
    await again.getByRole('button', { name: `Extend ${machine}` }).click();
    await page.getByText(/goes back in (72 h 00|71 h 59) min/).waitFor();

    await page.goto(`${app.farm.server.url}/machines`);
    await untilLoaded(page);
    await page.getByText(/^Reserved by tester, goes back/).waitFor();
    await page.goto(`${app.farm.server.url}/machines/${machine}`);
    await page.getByRole('button', { name: 'Return', exact: true }).click();
    await page
      .getByRole('dialog', { name: `Return ${machine}?` })
      .getByRole('button', { name: `Return ${machine}` })
      .click();
    await page.getByText(`Being restored after tester had it reserved: ${reason}`).waitFor();
    const changes = page.getByRole('region', { name: 'Who changed its state' });
    await changes.getByText('extended').first().waitFor();
    await changes.getByText('returned').first().waitFor();
    expect(opened.errors).toEqual([]);
    // Its agent is not here: what that would report.
    await app.farm.sql.run('update machine set reserved = null');
    await app.farm.sql.run(`update reservation set state = 'ended', outcome = 'restored', ended_at = now()`);
  });
});
