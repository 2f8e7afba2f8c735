import type { AttemptEvent, Verdict } from '@peerlab/contracts';
import { type FakeAgent, sampleResult } from '@peerlab/controller/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { checkEveryPage } from './every-page.js';

/**
 * A run of two roles with two kernels each, every one booted twice against every one of the other side: what the pages say
 * of the machine, the kernel and the figures of each side.
 */
let app: EvidenceApp;
let agents: FakeAgent[];
let run: string;
let attempt: string;
const SUITE = 'p2p-functional';
const TEST = { suite: SUITE, test: 'alias_read' };
const SIZES = [2, 64, 1024, 4096, 65_536, 1_048_576];

const figures = (test: string, factor: number): AttemptEvent[] =>
  SIZES.map((bytes) => ({
    type: 'measurement',
    suite: SUITE,
    test,
    metric: {
      name: `${test}.average.${bytes}`,
      unit: 'MiB/s',
      better: 'higher',
      samples: [0.9, 1, 1.1].map((part) => (part * factor * bytes) / (1 + bytes / 65_536)),
      params: { bytes },
    },
  }));
const result = (verdict: Extract<Verdict, 'pass' | 'fail'>): AttemptEvent => ({
  type: 'result',
  result: {
    ...sampleResult(SUITE, TEST.test),
    status: verdict,
    reason: verdict === 'fail' ? 'data differ at byte 64' : null,
    log: { stream: 'serial', fromSeq: 0, toSeq: 0 },
  },
});
const FINISHED: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
const RATE: Readonly<Record<string, number>> = { 'base base': 1, 'base new': 1.5, 'new base': 2.2, 'new new': 4 };

beforeAll(async () => {
  app = await startEvidenceApp(0);
  const { farm } = app;
  const [base, patched] = [await farm.bundle('pair-base', false), await farm.bundle('pair-new')];
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'THRU_HOST_BRIDGE' }, { name: 'other' });
  agents = [lab, other];
  // One that is silent for twelve seconds counts as offline.
  const beats = setInterval(() => agents.forEach((agent) => agent.heartbeat()), 2000);
  const yaml = `name: both sides of perftest
builds: [{name: base, bundle: ${base.manifest.key}}, {name: new, bundle: ${patched.manifest.key}}]
suites: [${SUITE}]
repeat: 2
roles:
  - {name: server, machines: {names: [m1]}, builds: [base, new]}
  - {name: client, machines: {names: [m2]}, builds: [base, new]}
`;
  ({ id: run } = await farm.call('submitRun', { body: { yaml } }));
  const ended = farm
    .until('the run to end', async () => (await farm.call('getRun', { params: { run } })).state === 'ended')
    .then(() => null);
  // Eight boots, and those that a computer too busy for a heartbeat costs.
  for (let boot = 0; ; boot += 1) {
    const server = await Promise.race([lab.take('test'), ended]);
    if (server === null) break;
    const client = await other.take('test');
    const kernels = [client.peers[0]?.build, server.peers[0]?.build].join(' ');
    const factor = (RATE[kernels] ?? 0) * (1 + (boot % 3) / 10);
    await lab.log(server, 'serial', 0, ['of the server']);
    await other.log(client, 'serial', 0, ['of the client']);
    await lab.events(server, 0, result('pass'), FINISHED);
    const verdict = kernels === 'base new' ? 'fail' : 'pass';
    await other.events(client, 0, result(verdict), ...figures('ib_write_bw', factor), FINISHED);
    if (verdict === 'fail') attempt = server.attemptId;
  }
  clearInterval(beats);
}, 180_000);
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await app.close();
});

const HISTORY = `/history?suite=${TEST.suite}&test=${TEST.test}`;
checkEveryPage((path, options) => app.open(path, options), {
  'run of pairs': () => `/runs/${run}`,
  'attempt of a pair': () => `/attempts/${attempt}`,
  'grid of pairs': () => `/?run=${run}`,
  'grid of pairs with figures': () => `/?run=${run}&show=metric`,
  'history of pairs': () => HISTORY,
  'trend of pairs': () => `/trends?suite=${SUITE}&metric=ib_write_bw.average.64`,
  'comparison of pairs': () => `/compare?a=${run}`,
});

const flat = (texts: readonly string[]): string[] => texts.map((text) => text.split(/\s+/).join(' ').trim());

describe('the run page', () => {
  it('draws the figures of all four pairs of kernels over the message size, and says in words what it draws', async () => {
    await using opened = await app.open(`/runs/${run}`);
    const { page, errors } = opened;
    const series = page.getByRole('region', { name: `${SUITE}/ib_write_bw.average of client` });
    const chart = series.getByRole('img');
    const name = (await chart.getAttribute('aria-label')) ?? '';
    expect(name).toMatch(/^p2p-functional\/ib_write_bw\.average of client over message size, both axes logarithmic: /);
    expect(name).toMatch(/; the figures are in the table$/);
    const keys = flat(await series.locator('figcaption li').allInnerTexts()).toSorted();
    expect(keys).toEqual([
      'server: base, client: base',
      'server: base, client: new',
      'server: new, client: base',
      'server: new, client: new',
    ]);
    for (const key of keys) expect(name).toContain(key);
    const lines = await chart
      .locator('path.size-line')
      .evaluateAll((paths) => paths.map((path) => path.getAttribute('d')));
    expect(new Set(lines).size).toBe(4);
    for (const line of lines) expect(line?.match(/[ML]/g)).toHaveLength(SIZES.length);
    // Each median.
    expect(await chart.locator('path.size-dot').count()).toBe(4 * SIZES.length);
    expect(await series.getByRole('row').count()).toBe(SIZES.length + 1);
    // On a phone it is drawn as wide as its place, and not cut.
    await page.setViewportSize({ width: 390, height: 844 });
    await expect.poll(async () => (await chart.boundingBox())?.width).toBeLessThanOrEqual(390 - 24);
    expect(errors).toEqual([]);
  });

  it('names machine and kernel of each role in its report', async () => {
    await using opened = await app.open(`/runs/${run}`);
    const { page, errors } = opened;
    const table = page.getByRole('region', { name: 'By machine' }).getByRole('table');
    const rows = flat((await table.getByRole('row').allInnerTexts()).slice(1));
    expect(rows).toHaveLength(4);
    for (const row of rows) {
      expect(row).toContain('server m1, client m2');
      expect(row).toContain('server BUS_ADDR, client THRU_HOST_BRIDGE');
    }
    for (const kernels of ['server base, client base', 'server new, client base'])
      expect(rows.filter((row) => row.includes(kernels))).toHaveLength(1);
    const finding = page.getByRole('region', { name: 'Findings' });
    await finding.getByRole('link', { name: 'server m1/base, client m2/new' }).waitFor();
    expect(errors).toEqual([]);
  });
});

it('a comparison says which role measured each series, and which kernel its other side boots', async () => {
  await using opened = await app.open(`/compare?a=${run}`);
  const { page, errors } = opened;
  for (const peer of ['client base', 'client new'])
    await page
      .getByRole('region', { name: new RegExp(`ib_write_bw\\.average \\(client\\) on .* with ${peer.split(' ')[1]}$`) })
      .getByText(`with ${peer}`, { exact: true })
      .waitFor();
  expect(errors).toEqual([]);
});

it('the history keeps the sides apart, each with its own kernel', async () => {
  await using opened = await app.open(HISTORY);
  const { page, errors } = opened;
  const names = flat(await page.locator('.strip-name').allInnerTexts());
  expect([...new Set(names)].toSorted()).toEqual([
    'client base with server base',
    'client base with server new',
    'client new with server base',
    'client new with server new',
    'server base',
    'server new',
  ]);
  const rows = page.getByRole('region', { name: 'Results, newest first' }).getByRole('row');
  for (const row of flat((await rows.allInnerTexts()).slice(1))) {
    if (row.includes('data differ')) expect(row).toMatch(/new .*pair-new.* client on m2/);
  }
  expect(errors).toEqual([]);
});

it('a trend is that of the side that measured it, with its own path', async () => {
  await using opened = await app.open(`/trends?suite=${SUITE}&metric=ib_write_bw.average.64`);
  const { page, errors } = opened;
  const heads = page.locator('.trend-card h2');
  await expect
    .poll(async () => flat(await heads.allInnerTexts()))
    .toEqual([
      'THRU_HOST_BRIDGE client base with server base',
      'THRU_HOST_BRIDGE client base with server new',
      'THRU_HOST_BRIDGE client new with server base',
      'THRU_HOST_BRIDGE client new with server new',
    ]);
  expect(errors).toEqual([]);
});

describe('the grid', () => {
  it('names the machines of all roles above a column, and the hardware of each', async () => {
    await using dense = await app.open(`/?run=${run}`);
    expect(
      await dense.page.locator('.dense-combinations .upright, .dense-combinations .level').first().innerText(),
    ).toBe('m1 ⇄ m2');
    await using opened = await app.open(`/?run=${run}&show=metric`);
    const { page, errors } = opened;
    const header = page.locator('.combination-box').first();
    await expect.poll(async () => flat(await header.locator('strong').allInnerTexts())).toEqual(['server', 'client']);
    expect(await header.innerText()).toContain('THRU_HOST_BRIDGE');
    expect(errors).toEqual([]);
  });

  it('calls a metric by the role that measured it, and links to the trend, which has all roles', async () => {
    await using opened = await app.open(`/?run=${run}&q=${encodeURIComponent('\\.64 \\(client\\)$')}`);
    const { page, errors } = opened;
    const link = page.getByRole('rowheader').getByRole('link', { name: 'ib_write_bw.average.64 (client)' });
    await link.click();
    await expect.poll(() => new URL(page.url()).searchParams.get('metric')).toBe('ib_write_bw.average.64');
    await page.locator('.trend-card h2').first().waitFor();
    expect(errors).toEqual([]);
  });

  it('shows jobs with several roles where machines are told apart, by the machines of all roles', async () => {
    await using opened = await app.open('/?machines=each');
    const { page, errors } = opened;
    await page
      .getByRole('row', { name: /alias_read/ })
      .locator('[data-column="1"]')
      .click();
    const panel = page.getByRole('complementary');
    await panel.getByRole('link', { name: 'Attempt on server m1, client m2' }).waitFor();
    expect(await panel.innerText()).not.toContain('any machine');
    expect(errors).toEqual([]);
  });
});
