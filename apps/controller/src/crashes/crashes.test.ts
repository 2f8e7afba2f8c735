import type { AttemptEvent, CallPlace, TestResult } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { crashKey } from './found-crashes.js';

const TITLE = 'KASAN: slab-use-after-free Read in p2pvram_hash';
const KEY = crashKey(TITLE);
const SUITE = 'p2p-functional';
const TEST = 'alias_read';

let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'THRU_HOST_BRIDGE' });
});
afterAll(() => farm?.stop());

/** Of the second address first; the one that no report names is not shown. */
const PLACES: CallPlace[] = [
  {
    call: 'p2pvram_ioctl+0x12/0x40 [p2pvram]',
    frames: [{ name: 'p2pvram_ioctl', file: 'drivers/p2pvram.c', line: null }],
  },
  {
    call: 'p2pvram_hash+0x31/0x90 [p2pvram]',
    frames: [
      { name: 'touch', file: 'drivers/p2pvram.h', line: 7 },
      { name: 'p2pvram_hash', file: 'drivers/p2pvram.c', line: 42 },
    ],
  },
  { call: 'elsewhere+0x1/0x2', frames: [{ name: 'elsewhere', file: 'mm/x.c', line: 1 }] },
];

const finished: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };

/** Console of a boot; with a report if `address` is given, which differs each time. */
const consoleOf = (release: string, address?: string): string[] => [
  '[    9.000000] WARNING: CPU: 0 PID: 1 at kernel/other.c:3 of_debian+0x1/0x2',
  `[    0.000000] Linux version ${release} (peerlab@farm) #1 SMP`,
  ...(address === undefined
    ? []
    : [
        `[   31.100000] BUG: KASAN: slab-use-after-free in p2pvram_hash+0x31/0x90 [p2pvram]`,
        `[   31.100001] Read of size 8 at addr ${address} by task p2p-test/412`,
        '[   31.100002] CPU: 1 UID: 0 PID: 412 Comm: p2p-test Not tainted 7.3.4-peerlab #1',
        '[   31.100003] Call Trace:',
        '[   31.100004]  <TASK>',
        '[   31.100005]  dump_stack_lvl+0x4d/0x70',
        '[   31.100006]  kasan_report+0xc3/0xf0',
        '[   31.100007]  p2pvram_hash+0x31/0x90 [p2pvram]',
        '[   31.100008]  p2pvram_ioctl+0x12/0x40 [p2pvram]',
        '[   31.100009]  </TASK>',
      ]),
  '[   40.000000] all done',
];

/** A run of a kernel on machines, one after the other; `address` as above, by machine. */
async function run(kernel: string, addresses: Record<string, string | undefined>): Promise<string[]> {
  const { manifest } = await farm.bundle(kernel);
  const names = Object.keys(addresses);
  const yaml = `name: run of ${kernel}\nbuilds: [{name: ${kernel}, bundle: ${manifest.key}}]\nsuites: [${SUITE}]\nmachines: {names: [${names.join(', ')}]}\n`;
  await farm.call('submitRun', { body: { yaml } });
  const attempts: string[] = [];
  for (const _ of names) {
    const work = await agent.take('test');
    if (work.work.kind !== 'test') throw new Error('not a test');
    const address = addresses[work.work.machine];
    await agent.log(work, 'serial', 0, consoleOf(manifest.release, address));
    const result: TestResult = { ...sampleResult(SUITE, TEST), warnings: address === undefined ? [] : [TITLE] };
    const places: AttemptEvent = { type: 'call-places', places: address === undefined ? [] : PLACES };
    // What is said twice stays as it was.
    await agent.events(work, 0, { type: 'result', result }, places, places, finished);
    attempts.push(work.attemptId);
  }
  return attempts;
}

const ofAttempt = (attempt: string) =>
  farm.until(
    `the search of ${attempt}`,
    () => farm.call('listAttemptCrashes', { params: { attempt } }),
    ({ pending }) => !pending,
  );

describe('crashes over runs', () => {
  let attempts: string[][];
  beforeAll(async () => {
    attempts = [
      await run('good', { m1: undefined, m2: undefined }),
      await run('bad-one', { m1: 'ffff888104a2c000' }),
      await run('bad-two', { m1: 'ffff888104a2d118', m2: 'ffff888104a2e008' }),
    ];
    for (const attempt of attempts.flat()) await ofAttempt(attempt);
  });

  it('are found in the log of an attempt when it has ended, with the test that ran', async () => {
    expect((await ofAttempt(attempts[0]?.[0] ?? '')).crashes).toEqual([]);
    const first = (await ofAttempt(attempts[1]?.[0] ?? '')).crashes;
    expect(first).toEqual([
      {
        key: KEY,
        title: TITLE,
        type: 'kasan',
        severity: 'warning',
        corrupted: false,
        role: 'main',
        stream: 'serial',
        startLine: 2,
        endLine: 11,
        times: 1,
        frames: ['dump_stack_lvl', 'kasan_report', 'p2pvram_hash', 'p2pvram_ioctl'],
        taint: '',
        suite: SUITE,
        test: TEST,
        earlier: 0,
        // In the order of the report.
        sources: [PLACES[1], PLACES[0]],
        buildId: expect.any(String) as string,
        git: null,
        patches: expect.any(Number) as number,
      },
    ]);
    expect((await ofAttempt(attempts[2]?.[0] ?? '')).crashes).toMatchObject([{ key: KEY, earlier: 1 }]);
  });

  it('group by their title: how often, on what, since which build, and the last good one', async () => {
    const crash = await farm.call('getCrash', { params: { crash: KEY } });
    expect(crash.builds.map(({ id }) => id)).toContain(crash.sourcesBuild);
    expect(crash).toMatchObject({
      title: TITLE,
      count: 3,
      combinations: 2,
      kernels: 2,
      first: { build: 'bad-one', machine: 'm1', attemptId: attempts[1]?.[0] },
      last: { build: 'bad-two' },
      tests: [{ suite: SUITE, test: TEST, count: 3 }],
      builds: [
        { name: 'bad-two', count: 2 },
        { name: 'bad-one', count: 1 },
      ],
      places: [
        {
          count: 2,
          first: { build: 'bad-one' },
          lastGood: { build: 'good', machine: 'm1', attemptId: attempts[0]?.[0] },
        },
        { count: 1, first: { build: 'bad-two', machine: 'm2' }, lastGood: { build: 'good', machine: 'm2' } },
      ],
    });
    expect(crash.sources).toEqual([PLACES[1], PLACES[0]]);
    expect(crash.sightings.map(({ build, startLine }) => [build, startLine])).toEqual([
      ['bad-two', 2],
      ['bad-two', 2],
      ['bad-one', 2],
    ]);
    expect(crash.places.every(({ combination }) => combination?.label !== undefined)).toBe(true);
  });

  it('are listed, those of the console of another kernel left out', async () => {
    const { crashes, total } = await farm.call('listCrashes', { query: {} });
    expect([total, crashes.map(({ title, count }) => [title, count])]).toEqual([1, [[TITLE, 3]]]);
    expect((await farm.call('listCrashes', { query: { q: 'kasan: SLAB' } })).total).toBe(1);
    expect((await farm.call('listCrashes', { query: { q: 'lockdep' } })).crashes).toEqual([]);
    expect((await farm.request('getCrash', { params: { crash: 'f'.repeat(32) } })).status).toBe(404);
  });

  it('are written as a mail that names what was run and quotes the report', async () => {
    const params = { attempt: attempts[2]?.[0] ?? '', crash: KEY };
    const { subject, body } = await farm.call('getCrashMail', { params, query: {} });
    expect(subject).toMatch(/^\[BUG\] KASAN: slab-use-after-free Read in p2pvram_hash/);
    expect(body).toContain('Seen 3 times on 2 combinations of hardware, first on ');
    expect(body).toContain('with build bad-one');
    expect(body).toMatch(/Before that, build good ran here without it on \d{4}-/);
    expect(body).toContain(`test:     ${SUITE}/${TEST}`);
    expect(body).toContain('[   31.100001] Read of size 8 at addr ffff888104a2');
    expect(body).toContain(
      'In the source that was built:\n\np2pvram_hash+0x31/0x90 [p2pvram]:\n    touch drivers/p2pvram.h:7 (inlined)\n    p2pvram_hash drivers/p2pvram.c:42\n',
    );
    expect(body).not.toContain('mm/x.c');
    expect(body).not.toContain('of_debian');
    expect(body).toContain('Reported-by: (the sender of this mail fills in');
  });

  it('that came late, from an agent that had lost its lease, are found when its last word came', async () => {
    const { manifest } = await farm.bundle('late');
    const yaml = `name: late\nbuilds: [{name: late, bundle: ${manifest.key}}]\nsuites: [${SUITE}]\nmachines: {names: [m1]}\n`;
    await farm.call('submitRun', { body: { yaml } });
    const work = await agent.take('test');
    const lines = consoleOf(manifest.release, 'ffff888104a2f000');
    await agent.log(work, 'serial', 0, lines.slice(0, 2));
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1`, [
      work.participantId,
    ]);
    await farm.until('the lease to be reaped', async () => {
      await farm.dispatch.dispatch();
      const [row] = await farm.sql.rows('select 1 from participant where id = $1 and revoked_at is not null', [
        work.participantId,
      ]);
      return row !== undefined;
    });
    expect((await ofAttempt(work.attemptId)).crashes).toEqual([]);
    await agent.log(work, 'serial', 2, lines.slice(2));
    await agent.events(work, 0, finished);
    const { crashes } = await farm.until(
      'the second search',
      () => farm.call('listAttemptCrashes', { params: { attempt: work.attemptId } }),
      (answer) => answer.crashes.length > 0,
    );
    expect(crashes).toMatchObject([{ key: KEY, suite: null }]);
  });

  it('go with their run, and stay when only the lines go', async () => {
    const [attempt = ''] = attempts[1] ?? [];
    await farm.sql.run('delete from log_line where participant_id = $1', [attempt]);
    const { body } = await farm.call('getCrashMail', { params: { attempt, crash: KEY }, query: {} });
    expect(body).toContain('The log was removed by retention');
    expect((await ofAttempt(attempt)).crashes).toHaveLength(1);
  });
});
