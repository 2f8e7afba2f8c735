import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RetentionPolicy, type RetentionPlan } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from '../platform/config.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { RetentionService } from './retention.service.js';

let farm: TestFarm;
let agent: FakeAgent;
/** What the database needs before any evidence is there differs from version to version. */
const EMPTY = 100 * 1024 ** 2;

async function start(policy: object): Promise<void> {
  farm = await TestFarm.start({
    retention: RetentionPolicy.parse({ softBytes: 2 * EMPTY, hardBytes: 4 * EMPTY, freeBytes: 1, ...policy }),
  });
  agent = await farm.agent({ m1: 'BUS_ADDR' });
}
afterEach(() => farm.stop());

const pass = async (): Promise<RetentionPlan> => {
  let done: RetentionPlan | null = null;
  // The controller's own first pass may be under way.
  await farm.until(async () => {
    done = await farm.server.app.get(RetentionService).run();
    return done !== null;
  });
  if (done === null) throw new Error('no pass');
  return done;
};
const age = (run: string, days: number): Promise<number> =>
  farm.sql.run(`update run set ended_at = clock_timestamp() - make_interval(days => $2) where id = $1`, [run, days]);

/** A run that ended with three log lines and one result. */
async function endedRun(bundle: string): Promise<{ run: string; attempt: string; bundle: string }> {
  const { manifest } = await farm.bundle(bundle);
  const yaml = `name: ${bundle}\nbuilds: [{name: b, bundle: ${manifest.key}}]\nsuites: [p2p-perf]\n`;
  const { id: run } = await farm.call('submitRun', { body: { yaml } });
  const attempt = await agent.take('test');
  await agent.log(attempt, 'serial', 0, ['booting', 'x'.repeat(5000), 'login:']);
  await agent.events(
    attempt,
    0,
    { type: 'result', result: sampleResult('p2p-perf', 'P01') },
    { type: 'finished', failure: null, restored: true, lineCounts: { serial: 3 } },
  );
  return { run, attempt: attempt.attemptId, bundle: manifest.key };
}

const logOf = (attempt: string) => farm.call('getLog', { params: { attempt }, query: { stream: 'serial' } });

describe('retention by age', () => {
  beforeEach(() => start({ user: { logDays: 10, resultDays: 100 }, artifactDays: 50 }));

  it('removes log lines first, then the run, then its bundle; says so each time and keeps what is pinned', async () => {
    const old = await endedRun('old');
    const pinned = await endedRun('pinned');
    const young = await endedRun('young');
    // The end of each packs its verdicts; they share their list of tests. Here the two that go are the only ones.
    await farm.sql.run('delete from attempt_verdicts where attempt_id = $1', [pinned.attempt]);
    const plans = () => farm.sql.rows('select hash from test_plan');
    expect(await plans()).toHaveLength(1);
    await farm.call('pinRun', { params: { run: pinned.run }, body: { pinned: true, reason: 'for the paper' } });
    await age(old.run, 11);
    await age(pinned.run, 1000);

    const plan = await farm.call('planRetention', {});
    expect(plan.removals).toEqual([
      expect.objectContaining({ kind: 'logs', subject: old.run, name: 'old', why: 'age', lines: 3 }),
    ]);
    expect((await logOf(old.attempt)).lines).toHaveLength(3);

    const done = await pass();
    expect(done.removals).toEqual(plan.removals);
    expect(await logOf(old.attempt)).toMatchObject({
      lines: [],
      total: 0,
      complete: true,
      removedAt: expect.any(String),
    });
    const raw = await farm.request('getRawLog', { params: { attempt: old.attempt, stream: 'serial' } });
    expect([raw.status, ((await raw.json()) as { code: string }).code]).toEqual([410, 'log-removed']);
    for (const { attempt } of [pinned, young]) expect((await logOf(attempt)).lines).toHaveLength(3);
    const detail = await farm.call('getAttempt', { params: { attempt: old.attempt } });
    expect(detail.results.map(({ test }) => test)).toEqual(['P01']);
    expect(detail.streams).toEqual([
      expect.objectContaining({ stream: 'serial', lines: 3, removedAt: expect.any(String) }),
    ]);
    expect((await pass()).removals).toEqual([]);

    await age(old.run, 101);
    await farm.sql.run(`update artifact set created_at = clock_timestamp() - interval '101 days'`);
    const later = await pass();
    expect(later.removals.map(({ kind, subject }) => [kind, subject])).toEqual([
      ['run', old.run],
      expect.arrayContaining(['artifact']),
    ]);
    expect((await farm.request('getRun', { params: { run: old.run } })).status).toBe(404);
    expect(await plans()).toHaveLength(1);
    expect((await farm.request('findBundle', { params: { key: old.bundle } })).status).toBe(404);
    expect((await farm.request('findBundle', { params: { key: pinned.bundle } })).status).toBe(200);
    const kept = await farm.call('getRun', { params: { run: pinned.run } });
    expect(kept.verdict).toBe('pass');
    await age(young.run, 101);
    expect((await pass()).removals.map(({ subject }) => subject)).toContain(young.run);
    expect(await plans()).toEqual([]);

    const view = await farm.call('getRetention', {});
    expect(view.pins).toEqual([expect.objectContaining({ run: pinned.run, by: 'tester', reason: 'for the paper' })]);
    expect(view.deletions.map(({ kind, why }) => `${kind} ${why}`).sort()).toEqual([
      'artifact age',
      'artifact age',
      'logs age',
      'run age',
      'run age',
    ]);

    await farm.call('pinRun', { params: { run: pinned.run }, body: { pinned: false } });
    expect((await farm.call('planRetention', {})).removals.map(({ kind }) => kind)).toContain('run');
  });

  it('removes nothing of a run that is not over, and takes a bundle again that was removed', async () => {
    const first = await endedRun('again');
    await farm.call('submitRun', { body: { yaml: `name: open\nbuilds: [{name: b, bundle: ${first.bundle}}]\n` } });
    const open = await agent.take('test');
    await farm.sql.run(`update artifact set created_at = clock_timestamp() - interval '101 days'`);
    await farm.sql.run(`update run set ended_at = clock_timestamp() - interval '99 days' where state = 'ended'`);
    expect((await pass()).removals.map(({ kind }) => kind)).toEqual(['logs']);
    await agent.events(open, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
    await farm.sql.run(`update run set ended_at = clock_timestamp() - interval '51 days'`);
    expect((await pass()).removals.map(({ kind }) => kind)).toEqual(['artifact']);
    const [artifact] = await farm.sql.rows<{ sha256: string }>(
      'select sha256 from artifact where removed_at is not null',
    );
    const file = join(
      farm.settings.stateDir,
      'artifacts/sha256',
      artifact?.sha256.slice(0, 2) ?? '',
      artifact?.sha256 ?? '',
    );
    expect(existsSync(file)).toBe(false);
    const yaml = `name: late\nbuilds: [{name: b, bundle: ${first.bundle}}]\n`;
    expect((await farm.request('submitRun', { body: { yaml } })).status).toBe(422);
    await farm.bundle('again');
    expect(existsSync(file)).toBe(true);
    expect((await farm.request('submitRun', { body: { yaml } })).status).toBe(200);
  });
});

it('deletes files that no row speaks of, unless they are about to get one', async () => {
  await start({});
  const { sha256: kept } = await farm.bundle('kept');
  const store = join(farm.settings.stateDir, 'artifacts');
  const place = (sha256: string): string => join(store, 'sha256', sha256.slice(0, 2), sha256);
  const [orphan, young] = ['a'.repeat(64), 'b'.repeat(64)];
  for (const sha256 of [orphan, young]) {
    mkdirSync(join(place(sha256), '..'), { recursive: true });
    writeFileSync(place(sha256), 'x');
  }
  mkdirSync(join(store, 'incoming'), { recursive: true });
  for (const name of ['cut-off', 'under-way']) writeFileSync(join(store, 'incoming', name), 'x');
  const old = new Date(Date.now() - 48 * 3600 * 1000);
  for (const path of [place(orphan), place(kept), join(store, 'incoming/cut-off')]) utimesSync(path, old, old);
  // A pass of the start may have looked around already; a controller that starts looks again.
  await farm.restart();
  await pass();
  await farm.until(async () => !existsSync(place(orphan)));
  expect([place(kept), place(young), join(store, 'incoming/under-way')].every((path) => existsSync(path))).toBe(true);
  expect(existsSync(join(store, 'incoming/cut-off'))).toBe(false);
  const { deletions } = await farm.call('getRetention', {});
  expect(deletions).toEqual([expect.objectContaining({ subject: orphan, name: 'file without a record', bytes: 1 })]);

  // A folder that is mostly unknown belongs to another farm: the wrong database was given.
  for (const digit of ['c', 'd']) {
    mkdirSync(join(place(digit.repeat(64)), '..'), { recursive: true });
    writeFileSync(place(digit.repeat(64)), 'x');
    utimesSync(place(digit.repeat(64)), old, old);
  }
  await farm.restart();
  await pass();
  await pass();
  expect(existsSync(place('c'.repeat(64)))).toBe(true);
});

describe('retention by space', () => {
  it('above the soft limit removes the oldest unpinned evidence, whatever its age', async () => {
    await start({ softBytes: 1, hardBytes: 4 * EMPTY });
    const [oldest, pinned, newest] = [await endedRun('oldest'), await endedRun('pinned'), await endedRun('newest')];
    await farm.call('pinRun', { params: { run: pinned.run }, body: { pinned: true } });
    await farm.sql.run(`update artifact set created_at = clock_timestamp() - interval '2 hours'`);
    await age(oldest.run, 3);
    await age(pinned.run, 4);
    const { removals, level } = await pass();
    expect(level).toBe('soft');
    // The newest ended a moment ago, and the pinned one's bundle is not free.
    expect(removals.map(({ kind, why }) => `${kind} ${why}`)).toEqual(['logs space', 'artifact space']);
    expect(removals[0]?.subject).toBe(oldest.run);
    expect((await logOf(newest.attempt)).lines).toHaveLength(3);
    expect((await logOf(pinned.attempt)).lines).toHaveLength(3);
  });

  it('above the hard limit refuses new runs and starts nothing, while running work keeps its evidence', async () => {
    await start({});
    const { manifest } = await farm.bundle('full');
    const yaml = (name: string): string =>
      `name: ${name}\nbuilds: [{name: b, bundle: ${manifest.key}}]\nsuites: [p2p-perf]\n`;
    await farm.call('submitRun', { body: { yaml: yaml('running') } });
    const running = await agent.take('test');
    const waiting = await farm.call('submitRun', { body: { yaml: yaml('waiting') } });
    await pass();
    await farm.sql.run(`update storage set level = 'full'`);

    const refused = await farm.request('submitRun', { body: { yaml: yaml('refused') } });
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([507, 'storage-full']);
    await agent.log(running, 'serial', 0, ['still taken']);
    await agent.events(
      running,
      0,
      { type: 'result', result: sampleResult('p2p-perf', 'P01') },
      { type: 'finished', failure: null, restored: true, lineCounts: { serial: 1 } },
    );
    expect(await farm.dispatch.dispatch()).toBe(0);
    const held = await farm.call('getRun', { params: { run: waiting.id } });
    expect(held.jobViews[0]?.waiting).toMatch(/^the storage is full/);

    // The next measurement finds room, and what waited goes on by itself.
    await pass();
    await agent.take('test');
    expect((await farm.request('submitRun', { body: { yaml: yaml('welcome') } })).status).toBe(200);
  });

  it('counts the bytes of log lines, and forgets those that are gone', async () => {
    await start({ user: { logDays: 1, resultDays: 1000 } });
    const { run } = await endedRun('weighed');
    const before = (await farm.call('planRetention', {})).use;
    expect(before.logBytes).toBe(3 * 120 + 'booting'.length + 5000 + 'login:'.length);
    expect(before.usedBytes).toBe(before.logBytes + before.artifactBytes + before.otherBytes);
    expect(before.freeBytes).toBeGreaterThan(0);
    await age(run, 2);
    await pass();
    expect((await farm.call('getRetention', {})).use.logBytes).toBe(0);
  });

  it('is done by one controller at a time', async () => {
    await start({});
    const client = await farm.sql.pool.connect();
    try {
      await farm.until(async () => {
        const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock(747050) as mine');
        return rows[0]?.mine === true;
      });
      expect(await farm.server.app.get(RetentionService).run()).toBeNull();
      expect((await farm.request('runRetention', {})).status).toBe(409);
    } finally {
      client.release(true);
    }
    await pass();
  });
});

it('the policy comes from the configuration, and what is wrong in it is named', async () => {
  await start({});
  const env = { PEERLAB_RETENTION: '{webhook: {logDays: 3, resultDays: 9}, softBytes: 10, hardBytes: 20}' };
  expect(loadSettings(env, null).retention).toMatchObject({
    webhook: { logDays: 3 },
    user: { logDays: 180 },
    softBytes: 10,
  });
  expect(() => loadSettings({ PEERLAB_RETENTION: '{user: {logDays: -1, resultDays: 9}}' }, null)).toThrow(
    /PEERLAB_RETENTION: user: logDays/,
  );
});
