import type { Assignment, AttemptEvent } from '@peerlab/contracts';
import { type FakeAgent, sampleResult, takePair, type PairAttempt } from '@peerlab/controller/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEvidenceApp, type EvidenceApp } from './evidence-app.js';
import { checkEveryPage } from './every-page.js';
import { accessibilityFindings } from './web-app.js';

/** An attempt with two machines whose agents' clocks differ by five seconds; the server's kernel crashed. */
let app: EvidenceApp;
let agents: FakeAgent[];
let pair: PairAttempt;
/** Its server passed a test that its client failed. */
let halfFailed: PairAttempt;
const BOOTED_MS = 1_763_800_000_000;
const CRASH = 'KASAN: slab-use-after-free in rxe_odp_mr_copy';

const finished = (failure: Extract<AttemptEvent, { type: 'finished' }>['failure']): AttemptEvent => ({
  type: 'finished',
  failure,
  restored: true,
  lineCounts: {},
});

/** The console of one side, with the times of its agent. */
async function print(
  agent: FakeAgent,
  who: Assignment,
  lines: [number, string][],
  clockOffsetMs: number,
): Promise<void> {
  const { participantId, fence } = who;
  agent.send({
    type: 'log',
    participantId,
    fence,
    stream: 'serial',
    lines: lines.map(([at, text], seq) => ({ seq, at, text })),
  });
  await agent.acked(participantId, 'serial', lines.length);
  agent.send({
    type: 'heartbeat',
    machines: agent.machines(),
    participants: [{ participantId, fence, machine: null, stage: 'test', nextSeq: {} }],
    clock: { offsetMs: clockOffsetMs, errorMs: 1.5 },
  });
  await agent.next('renewed');
}

beforeAll(async () => {
  app = await startEvidenceApp(0);
  const { farm } = app;
  const { key } = (await farm.bundle('gang')).manifest;
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  agents = [lab, other];
  pair = await takePair(farm, key, lab, other);
  const { server, client } = pair;
  await print(
    lab,
    server,
    [
      [BOOTED_MS, 'server: Linux version 7.3.4'],
      [BOOTED_MS + 20, `server: BUG: ${CRASH}`],
    ],
    0,
  );
  // Its clock is five seconds ahead: what it stamps 5010 was at 10.
  await print(
    other,
    client,
    [
      [BOOTED_MS + 5010, 'client: link becomes ready'],
      [BOOTED_MS + 5030, 'client: retry exceeded'],
    ],
    -5000,
  );
  await lab.events(
    server,
    0,
    finished({ class: 'kernel-crash', stage: 'test', message: `the kernel crashed: ${CRASH}`, signature: CRASH }),
  );
  const figure = (bytes: number, ...samples: number[]): AttemptEvent => ({
    type: 'measurement',
    suite: 'p2p-functional',
    test: 'P6.ib_write_bw.odp',
    metric: { name: `ib_write_bw.odp.average.${bytes}`, unit: 'MiB/s', better: 'higher', samples, params: { bytes } },
  });
  await other.events(
    client,
    0,
    figure(65_536, 11.25),
    figure(64, 0.125),
    finished({ class: 'peer', stage: 'test', message: 'participant server failed', signature: null }),
  );
  halfFailed = await takePair(farm, key, lab, other);
  const result = (status: 'pass' | 'fail', reason: string | null): AttemptEvent => ({
    type: 'result',
    result: {
      ...sampleResult('p2p-functional', 'alias_read'),
      status,
      reason,
      log: { stream: 'serial', fromSeq: 0, toSeq: 0 },
    },
  });
  await print(lab, halfFailed.server, [[BOOTED_MS, 'server: served']], 0);
  await print(other, halfFailed.client, [[BOOTED_MS, 'client: no answer']], 0);
  await lab.events(halfFailed.server, 0, result('pass', null), finished(null));
  await other.events(halfFailed.client, 0, result('fail', 'no answer'), finished(null));
});
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await app.close();
});

checkEveryPage((path, options) => app.open(path, options), {
  'timeline of a pair': () => `/attempts/${pair.attempt}?view=log&stream=all&role=*`,
});

describe('the page of an attempt with two machines', () => {
  it('says whose failure it is, on which machine and with which kernel, and what each side did', async () => {
    await using opened = await app.open(`/attempts/${pair.attempt}`);
    const { page, errors } = opened;
    await page.getByRole('heading', { name: /on m1 and m2$/ }).waitFor();
    await page.getByText('kernel-crash in stage test of server on m1, kernel b').waitFor();
    const [server, client] = [
      page.getByRole('group', { name: 'participant server' }),
      page.getByRole('group', { name: 'participant client' }),
    ];
    expect(await server.innerText()).toContain('its failure is that of the attempt');
    expect(await client.innerText()).not.toContain('its failure is that of the attempt');
    expect(await client.innerText()).toContain('participant server failed');
    expect(await client.innerText()).toContain('clock 5000 ms ahead, ± 2 ms');
    expect(await server.innerText()).toContain('clock right within 2 ms');
    expect(errors).toEqual([]);
  });

  it('shows the console of either side, and the lines of both on one axis of time', async () => {
    await using opened = await app.open(`/attempts/${pair.attempt}`);
    const { page, errors } = opened;
    const client = page.getByRole('group', { name: 'participant client' });
    await client.getByRole('link', { name: 'Console' }).click();
    await page.getByText('client: retry exceeded').waitFor();
    expect(await page.getByText(`BUG: ${CRASH}`).count()).toBe(0);
    await page.getByRole('link', { name: 'all machines by time' }).click();
    await page.getByText('server: Linux version').waitFor();
    expect(await page.locator('.log-text').allInnerTexts()).toEqual([
      'server: Linux version 7.3.4',
      'client: link becomes ready',
      `server: BUG: ${CRASH}`,
      'client: retry exceeded',
    ]);
    expect(await page.locator('.log-role').allInnerTexts()).toEqual(['server', 'client', 'server', 'client']);
    await page.getByText('stand in their order within 3 ms').waitFor();
    // A line is marked in the log of its own machine.
    await page.getByRole('link', { name: 'client serial line 2' }).click();
    await page.waitForURL(/role=client.*line=2|line=2.*role=client/);
    await page.locator('.log-marked').getByText('client: retry exceeded').waitFor();
    expect(errors).toEqual([]);
  });

  it.each([
    ['m1', 'server', 'client', 'light'],
    ['m2', 'client', 'server', 'dark'],
  ] as const)(
    'has the console of each machine on the page of %s, its own first (%s, then %s; %s)',
    async (name, own, peer, colorScheme) => {
      await using opened = await app.open(`/machines/${name}`, { colorScheme });
      const { page, errors } = opened;
      const said = { server: 'server: served', client: 'client: no answer' };
      for (const role of [own, peer] as const) {
        const shown = page.getByRole('region', { name: `Serial log of ${role}`, exact: true });
        await shown.getByText(said[role]).waitFor();
        expect(await shown.getByText(said[role === 'server' ? 'client' : 'server']).count()).toBe(0);
      }
      expect(
        await page
          .getByRole('region', { name: /^Serial log of / })
          .getByRole('heading')
          .allInnerTexts(),
      ).toEqual([`${own} ${name}`, `${peer} ${name === 'm1' ? 'm2' : 'm1'}`]);
      expect(await accessibilityFindings(page)).toEqual([]);
      await page
        .getByRole('region', { name: `Serial log of ${peer}`, exact: true })
        .getByRole('link', { name: 'Whole log' })
        .click();
      await page.waitForURL(new RegExp(`role=${peer}`));
      await page.getByText(said[peer]).waitFor();
      expect(errors).toEqual([]);
    },
  );

  it('opens at the log of the machine whose failure counts', async () => {
    await using opened = await app.open(`/attempts/${pair.attempt}?view=log&stream=serial`);
    const { page } = opened;
    await page.getByText(`server: BUG: ${CRASH}`).waitFor();
    await page.getByRole('link', { name: 'Files' }).click();
    await page
      .getByRole('button', { name: 'serial.log' })
      .or(page.getByRole('link', { name: 'serial.log' }))
      .waitFor();
    expect(await page.getByRole('navigation', { name: 'Whose streams are shown' }).innerText()).toContain('m2');
  });

  it('is a cell of the matrix of its run, kernel by kernel', async () => {
    await using opened = await app.open(`/runs/${pair.run}`);
    const { page, errors } = opened;
    await page.getByRole('heading', { name: 'Kernel by kernel: server down, client across' }).waitFor();
    const table = page.getByRole('region', { name: /^Kernel by kernel/ }).getByRole('table');
    expect((await table.innerText()).split(/\s+/).filter(Boolean)).toEqual([
      'server',
      'b',
      'b',
      expect.any(String),
      'crash',
    ]);
    await table.getByRole('link').click();
    await page.waitForURL(`**/attempts/${pair.attempt}`);
    expect(errors).toEqual([]);
  });

  it('has its figures by message size, and gives them as Markdown and CSV', async () => {
    await using opened = await app.open(`/runs/${pair.run}`);
    const { page, errors } = opened;
    await page.evaluate(
      "window.copied = []; Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (text) => { window.copied.push(text); } } })",
    );
    const sizes = page.getByRole('region', { name: 'By message size' });
    await sizes.waitFor();
    expect((await sizes.getByRole('row').allInnerTexts()).map((text) => text.split(/\s+/).join(' '))).toEqual([
      'Size server: b, client: b',
      '64 B 0.125 1 boot, n = 1',
      '64 KiB 11.3 1 boot, n = 1',
    ]);
    expect(await sizes.innerText()).toContain('Each pair of kernels was booted once');
    await sizes.getByText('Copy as Markdown').click();
    await sizes.getByText('Copy as CSV').click();
    await page.getByText('Share', { exact: true }).click();
    await page.locator('.share .menu-body').getByText('Copy as Markdown').click();
    await page.locator('.share .menu-body').getByText('copied').waitFor();
    const [markdown, csv, report] = await page.evaluate<string[]>('window.copied');
    expect(markdown).toMatch(/\| 64 KiB \| +11\.3 \|/);
    expect(csv).toContain(
      'p2p-functional,ib_write_bw.odp.average,client,MiB/s,higher,64,b,b,0.125,0.125,0.125,1,1\r\n',
    );
    expect(report).toContain('## Kernel by kernel: server down, client across');
    expect(report).toContain(markdown);
    expect(errors).toEqual([]);
  });
  it('names both sides of a job, and is not wider than a phone', async () => {
    const options = { viewport: { width: 390, height: 844 } };
    for (const path of [
      `/runs/${pair.run}`,
      `/attempts/${pair.attempt}`,
      `/attempts/${pair.attempt}?view=log&stream=test`,
    ]) {
      await using opened = await app.open(path, options);
      const { page, errors } = opened;
      if (path.startsWith('/runs'))
        await page.getByRole('article', { name: 'test server b on m1, client b on m2' }).waitFor();
      else await page.getByRole('heading', { name: 'b on m1 and m2' }).waitFor();
      if (path.endsWith('test')) await page.getByRole('navigation', { name: 'Whose streams are shown' }).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(390);
      expect(errors).toEqual([]);
    }
  });
});

describe('results of several roles', () => {
  it('a column of the grid names the kernel, the machine and the devices of each role, with much room and with little', async () => {
    await using dense = await app.open(`/?run=${halfFailed.run}`);
    const title = await dense.page.getByRole('columnheader', { name: 'b ⇄ b' }).getAttribute('title');
    expect(title?.split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^server: b on m1, 0000:/),
        expect.stringMatching(/^client: b on m2, 0000:/),
      ]),
    );
    await using opened = await app.open(`/?run=${pair.run}&show=metric`);
    const { page, errors } = opened;
    const header = page.getByRole('columnheader').getByRole('list', { name: 'Roles' });
    expect((await header.getByRole('listitem').allInnerTexts()).map((text) => text.split(/\s+/).join(' '))).toEqual([
      expect.stringMatching(/^server b on m1 0000:/),
      expect.stringMatching(/^client b on m2 0000:/),
    ]);
    expect(errors).toEqual([]);
  });

  it('a cell has the evidence of each side, that of its verdict first', async () => {
    await using opened = await app.open(`/?run=${halfFailed.run}`);
    const { page, errors } = opened;
    await page
      .getByRole('row', { name: /alias_read/ })
      .locator('[data-column="1"]')
      .click();
    const [server, client] = [
      page.getByRole('region', { name: 'Evidence of server' }),
      page.getByRole('region', { name: 'Evidence of client' }),
    ];
    await client.getByText('no answer').waitFor();
    expect(await client.innerText()).toContain('b on m2');
    expect(await server.innerText()).toContain('pass');
    await server.getByRole('link', { name: /^Log of server/ }).click();
    await page.locator('.log-marked').getByText('server: served').waitFor();
    expect(errors).toEqual([]);
  });

  it('the page of a build says in which role it was booted, and where', async () => {
    const { columns } = await app.farm.call('getGrid', { query: { run: halfFailed.run } });
    await using opened = await app.open(`/builds/${columns[0]?.build.id}`);
    const { page, errors } = opened;
    const table = page.getByRole('region', { name: 'Tested on' }).getByRole('table');
    const rows = (await table.getByRole('row').allInnerTexts()).slice(1);
    expect(rows.map((text) => /\b(server|client)\b\s+(m\d)/.exec(text)?.slice(1))).toEqual([
      ['server', 'm1'],
      ['client', 'm2'],
    ]);
    expect(errors).toEqual([]);
  });
});

it('a job of two roles whose second machine is drained says which role waits, and why, until the machine is there', async () => {
  const { farm } = app;
  const own = [
    await farm.agent({ m3: 'BUS_ADDR' }, { name: 'here' }),
    await farm.agent({ m4: 'BUS_ADDR' }, { name: 'there' }),
  ];
  // One that is silent for twelve seconds counts as offline.
  const beats = setInterval(() => own.forEach((agent) => agent.heartbeat()), 2000);
  try {
    const hold = (desired: 'active' | 'drained') =>
      farm.call('setMachine', { params: { machine: 'm4' }, body: { desired, reason: 'cables' } });
    await hold('drained');
    const { manifest } = await farm.bundle('waiting');
    const yaml = `name: waits
builds: [{name: b, bundle: ${manifest.key}}]
suites: [p2p-functional]
roles:
  - {name: server, machines: {names: [m3]}}
  - {name: client, machines: {names: [m4]}}
`;
    const { id: run } = await farm.call('submitRun', { body: { yaml } });
    await using opened = await app.open(`/runs/${run}`);
    const { page, errors } = opened;
    const reason = page.getByRole('article').getByText('role client: m4 is drained; activate it to go on');
    await reason.waitFor();
    expect(await page.getByRole('main').innerText()).not.toContain('role server: m3');
    await hold('active');
    await reason.waitFor({ state: 'hidden' });
    expect((await own[1]?.take('test'))?.role).toBe('client');
    expect(errors).toEqual([]);
  } finally {
    clearInterval(beats);
    for (const agent of own) agent.vanish();
  }
});
