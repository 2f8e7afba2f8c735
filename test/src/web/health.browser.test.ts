import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { accessibilityFindings, untilLoaded } from './web-app.js';

const FOUND = 'golden/client_link: fail: 0000:04:00.0 is linked x4, and could be x16';

let app: EvidenceApp;
let attempt: string;
let machine: string;
let run: string;
beforeAll(async () => {
  app = await startEvidenceApp(2);
  const { evidence, farm } = app;
  attempt = evidence.attempt(1, 'dma-alias', 'BUS_ADDR');
  machine = evidence.hardware.BUS_ADDR.machine;
  run = evidence.runs[1] ?? '';
  await farm.sql.run(
    `insert into health_check (machine, number, kind, reason, boots, run_id, ended_at, outcome, detail)
     values ($1, 1, 'required', 'it has not passed its first health check', 3, null, now() - interval '30 days', 'passed', null),
       ($1, 2, 'schedule', 'every 168 hours', 1, $2, now(), 'failed', $3)`,
    [machine, evidence.runs[0], FOUND],
  );
  await farm.sql.run(
    `insert into suspect_attempt (attempt_id, machine, check_number, good_at, requeued_run)
     values ($1, $2, 2, now() - interval '30 days', $3)`,
    [attempt, machine, evidence.runs[0]],
  );
  await farm.sql.run(
    `insert into hardware_alarm (participant_id, kind, severity, title, device, stream, line, times, at)
     values ($1, 'gpu-xid', 'uncorrected', 'Xid 79: GPU has fallen off the bus', '0000:3b:00', 'test', 1, 2, now()),
       ($1, 'pcie-aer', 'corrected', 'AER: Corrected error <img src=x onerror="window.planted=1">', '', 'test', 2, 40, now())`,
    [attempt],
  );
  await farm.sql.run(`update machine set unproven = 'hardware alarm in attempt ' || $2 where name = $1`, [
    machine,
    randomUUID(),
  ]);
});
afterAll(() => app?.close());

const THEMES = [
  { name: 'light', options: { colorScheme: 'light' as const } },
  { name: 'dark, on a phone', options: { colorScheme: 'dark' as const, viewport: { width: 390, height: 844 } } },
];

describe('the health of machines', () => {
  it.each(THEMES)('stands on the machine’s page, with its checks and alarms ($name)', async ({ options }) => {
    await using opened = await app.open(`/machines/${machine}`, options);
    const { page } = opened;
    const health = page.getByRole('region', { name: 'Health' });
    await health.getByText('It takes nothing but its health check until that passes').waitFor();
    await health.getByText(FOUND).waitFor();
    await health.getByText('1 attempt on it is suspect').waitFor();
    const alarms = page.getByRole('region', { name: 'Hardware alarms' });
    await alarms.getByText('Xid 79: GPU has fallen off the bus').waitFor();
    await page.getByText('suspect', { exact: true }).first().waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await page.evaluate('window.planted')).toBeUndefined();
    expect(opened.errors).toEqual([]);
  });

  it('makes results suspect: said on the attempt, the run and the cell of the grid', async () => {
    await using opened = await app.open(`/attempts/${attempt}`);
    const { page } = opened;
    await page.getByText('Suspect:').waitFor();
    expect(await page.getByText(`(${FOUND})`).count()).toBe(1);
    await page.getByRole('region', { name: 'Hardware alarms' }).getByRole('link', { name: 'test line 2' }).waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    await page.goto(`${app.farm.server.url}/runs/${run}`);
    const suspects = page.getByRole('region', { name: 'Suspect results' });
    await suspects.getByRole('link', { name: attempt.slice(0, 8) }).waitFor();
    await untilLoaded(page);
    expect(await accessibilityFindings(page)).toEqual([]);
    const cell = await suspectCell();
    await page.goto(`${app.farm.server.url}/?run=${run}&cell=${cell}`);
    await page.getByText('Suspect:').waitFor();
    expect(opened.errors).toEqual([]);
  });

  it('is asked for by a person, with a reason', async () => {
    await using opened = await app.open(`/machines/${machine}#token=${app.farm.userToken}`);
    const { page } = opened;
    await page.getByRole('button', { name: 'Check now' }).click();
    const dialog = page.getByRole('dialog', { name: `Check ${machine}?` });
    const confirm = dialog.getByRole('button', { name: `Check ${machine}` });
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('it is hot');
    expect(await accessibilityFindings(page)).toEqual([]);
    await confirm.click();
    // No agent builds in this farm: the controller says why there is no check.
    await page.getByText('the health check cannot be planned').waitFor();
  });
});

/** A cell of the suspect attempt's column, as the address of the grid names it. */
async function suspectCell(): Promise<string> {
  const grid = await app.farm.call('getGrid', { query: { run } });
  const column = grid.columns.findIndex(({ attemptId }) => attemptId === attempt);
  const { suite = '', test = '' } = grid.rows.find(({ verdicts }) => /[A-Z~]/.test(verdicts[column] ?? '')) ?? {};
  const at = grid.columns[column];
  return encodeURIComponent(`${suite}/${test}@${at?.build.name}@${at?.combination.hash.slice(0, 8)}`);
}
