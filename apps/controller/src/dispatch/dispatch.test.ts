import { FARM_SUITE, LEASE_SECONDS, type AttemptEvent, type TestResult } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Sql } from '../platform/database/sql.js';
import { TestFarm } from '../testing/farm.js';
import { FakeAgent } from '../testing/fake-agent.js';
import { SAMPLE_RUN, sampleResult } from '../testing/samples.js';
import { AttemptStore } from '../attempts/attempt-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { BuildService } from '../builds/build.service.js';
import { BuildQueue } from '../runs/build-queue.js';
import { JobService } from '../runs/job.service.js';
import { TestQueue } from '../runs/test-queue.js';
import { StorageMeter } from '../storage/storage.js';
import { AttemptService } from './attempt.service.js';
import { DispatchService } from './dispatch.service.js';
import { ReconcileService } from './reconcile.service.js';

const finished = (more: Partial<Extract<AttemptEvent, { type: 'finished' }>> = {}): AttemptEvent => ({
  type: 'finished',
  failure: null,
  restored: true,
  lineCounts: {},
  ...more,
});
const infrastructure = { class: 'infrastructure', stage: 'flash', message: 'ssh: no route', signature: null } as const;

describe('one controller', () => {
  let farm: TestFarm;
  let agent: FakeAgent;
  let yaml: string;

  beforeAll(async () => {
    farm = await TestFarm.start();
    const { manifest } = await farm.bundle('dispatch');
    yaml = `name: d\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
  });
  afterAll(() => farm.stop());
  beforeEach(async () => {
    await farm.sql.run(`update machine set desired = 'active'`);
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    return () => agent.vanish();
  });

  const reconcile = () => farm.server.app.get(ReconcileService);
  const runOf = async (id: string) => farm.call('getRun', { params: { run: id } });
  const submit = async () => farm.call('submitRun', { body: { yaml } });

  it('repeats an attempt after infrastructure trouble, as often as the policy says, then calls it infra', async () => {
    const run = await submit();
    for (let number = 1; number <= 3; number += 1) {
      const attempt = await agent.take('test');
      await agent.events(attempt, 0, finished({ failure: infrastructure }));
      await farm.hurry();
    }
    const ended = await runOf(run.id);
    expect(ended).toMatchObject({ state: 'ended', verdict: 'infra', counts: { infra: 4 } });
    expect(ended.jobViews[0]?.attempts.map(({ number, failure }) => [number, failure?.class])).toEqual([
      [1, 'infrastructure'],
      [2, 'infrastructure'],
      [3, 'infrastructure'],
    ]);
  });

  it('puts a machine that was not restored into quarantine and repeats nothing on it', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.events(attempt, 0, finished({ failure: infrastructure, restored: false }));
    expect(await runOf(run.id)).toMatchObject({ state: 'ended', verdict: 'infra' });
    const machine = await farm.call('getMachine', { params: { machine: 'm1' } });
    expect(machine.desired).toBe('quarantined');
    expect(machine.problem).toMatch(/could not restore it/);
    const next = await submit();
    expect((await runOf(next.id)).jobViews[0]?.waiting).toBe('m1 is quarantined; activate it to go on');
    await farm.call('setMachine', { params: { machine: 'm1' }, body: { desired: 'active', reason: 'a test' } });
    await agent.events(await agent.take('test'), 0, finished());
  });

  it('says in the reason of a quarantine what the agent found wrong with the machine', async () => {
    await submit();
    const attempt = await agent.take('test');
    const result: TestResult = {
      suite: FARM_SUITE,
      test: 'restore',
      status: 'fail',
      reason: 'm1 differs from what was pinned on 2026-11-29: /usr/sbin/sshd changed',
      durationMs: null,
      proof: null,
      warnings: [],
      signature: null,
      log: null,
    };
    await agent.events(attempt, 0, { type: 'result', result }, finished({ restored: false }));
    const machine = await farm.call('getMachine', { params: { machine: 'm1' } });
    expect(machine.problem).toMatch(/could not restore it: m1 differs from .*: \/usr\/sbin\/sshd changed; mend it/);
    await farm.call('setMachine', { params: { machine: 'm1' }, body: { desired: 'active', reason: 'a test' } });
  });

  it('calls unreached tests after a crash what they are', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.events(
      attempt,
      0,
      { type: 'result', result: sampleResult('p2p-functional', 'F01', { status: 'crash', signature: 'oops in f' }) },
      finished(),
    );
    expect(await runOf(run.id)).toMatchObject({ verdict: 'crash', counts: { crash: 1, 'not-reached': 3 } });
  });

  it('cancels: what waits ends at once, what runs is stopped by its agent', async () => {
    const running = await submit();
    const attempt = await agent.take('test');
    const waiting = await submit();
    expect((await runOf(waiting.id)).jobViews[0]?.waiting).toMatch(/^next in line for m1/);
    expect(await farm.call('cancelRun', { params: { run: waiting.id } })).toMatchObject({
      state: 'ended',
      verdict: 'canceled',
    });
    expect(await farm.call('cancelRun', { params: { run: running.id } })).toMatchObject({ cancelRequested: true });
    await agent.next('cancel', ({ participantId }) => participantId === attempt.participantId);
    const failure = { class: 'canceled', stage: 'test', message: 'canceled', signature: null } as const;
    await agent.events(attempt, 0, finished({ failure }));
    expect(await runOf(running.id)).toMatchObject({ state: 'ended', verdict: 'canceled' });
  });

  it('gives a lost assignment again when the agent comes back without it', async () => {
    await submit();
    const { assignment } = await agent.next('assign');
    agent.vanish();
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    const again = await agent.take('test');
    expect(again).toEqual(assignment);
    await agent.events(again, 0, finished());
  });

  it('ends an attempt that the agent forgot, and keeps what still comes of it', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    agent.vanish();
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    agent.heartbeat();
    await farm.hurry();
    const second = await agent.take('test');
    expect(second.participantId).not.toBe(attempt.participantId);
    expect(second.fence).toBeGreaterThan(attempt.fence);
    await agent.log(attempt, 'serial', 1, ['late']);
    await agent.events(second, 0, finished());
    const [first] = (await runOf(run.id)).jobViews[0]?.attempts ?? [];
    expect(first?.failure?.message).toMatch(/came back without this attempt/);
    const page = () => farm.call('getLog', { params: { attempt: attempt.participantId }, query: { stream: 'serial' } });
    // It may have more to tell for an hour.
    expect(await page()).toMatchObject({ total: 2, complete: false });
    await farm.sql.run(`update participant set revoked_at = revoked_at - interval '2 hours' where id = $1`, [
      attempt.participantId,
    ]);
    expect(await page()).toMatchObject({ total: 2, complete: true });
  });

  it('resumes where it was: the welcome says what is stored', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one', 'two']);
    agent.vanish();
    const token = await farm.token('agent', 'lab');
    agent = await FakeAgent.connect(farm.server.url, token, { machines: ['m1'] });
    const { participantId, fence } = attempt;
    const stale = {
      participantId: '00000000-0000-4000-8000-000000000000',
      fence: 1,
      machine: null,
      stage: null,
      nextSeq: {},
    };
    const { participants } = await agent.hello([
      { participantId, fence, machine: 'm1', stage: 'test', nextSeq: { serial: 5 } },
      stale,
    ]);
    expect(participants).toHaveLength(1);
    expect(participants[0]).toMatchObject({ participantId, ackedNext: { serial: 2, kernel: 0, events: 0 } });
    await agent.events(attempt, 0, finished());
  });

  it('reaps an attempt whose lease ran out, tells its agent to stop, and repeats it under a higher fence', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    const { participantId, fence } = attempt;
    const held = { participantId, fence, machine: 'm1', stage: 'test', state: 'running', nextSeq: {} } as const;
    agent.heartbeat([held]);
    expect((await agent.next('renewed')).participants).toEqual([{ participantId, fence }]);
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    // At once: the reaping wakes whoever holds the agent's connection.
    expect(await agent.next('drop')).toMatchObject({
      participantId,
      code: 'revoked',
      reason: expect.stringMatching(/no sign of life/),
    });
    await farm.hurry();
    const second = await agent.take('test');
    expect(second.participantId).not.toBe(participantId);
    expect(second.fence).toBeGreaterThan(fence);
    await agent.events(second, 0, finished());
    const { jobViews } = await runOf(run.id);
    expect(jobViews[0]?.attempts.map(({ failure }) => failure?.message ?? null)).toEqual([
      `agent lab gave no sign of life for ${LEASE_SECONDS} s`,
      null,
    ]);
  });

  it('a heartbeat renews what the agent holds and nothing else', async () => {
    await submit();
    const attempt = await agent.take('test');
    const held = {
      participantId: attempt.participantId,
      fence: attempt.fence,
      machine: 'm1',
      stage: null,
      nextSeq: {},
    };
    const remaining = async () => {
      const row = await farm.sql.one<{ s: number }>(
        `select extract(epoch from expires_at - clock_timestamp())::float8 as s from lease where released_at is null`,
      );
      return row?.s ?? 0;
    };
    await farm.sql.run(`update lease set expires_at = clock_timestamp() + interval '5 s' where released_at is null`);
    await reconcile().renew('lab', [{ ...held, fence: held.fence - 1 }]);
    await reconcile().renew('other', [held]);
    expect(await remaining()).toBeLessThan(5.1);
    await reconcile().renew('lab', [held]);
    expect(await remaining()).toBeGreaterThan(LEASE_SECONDS - 2);
    await agent.events(attempt, 0, finished());
  });

  it('survives a restart of the controller: leases get a full period of grace', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['before']);
    await farm.server.close();
    const sql = new Sql(farm.database.address);
    await sql.run(`update lease set expires_at = clock_timestamp() - interval '1 h' where released_at is null`);
    await sql.close();
    await farm.restart();
    agent = await FakeAgent.connect(farm.server.url, await farm.token('agent', 'lab'), { machines: ['m1'] });
    const { participantId, fence } = attempt;
    const welcome = await agent.hello([{ participantId, fence, machine: 'm1', stage: 'test', nextSeq: { serial: 2 } }]);
    expect(welcome.participants[0]?.ackedNext.serial).toBe(1);
    await agent.log(attempt, 'serial', 1, ['after']);
    await agent.events(attempt, 0, finished({ lineCounts: { serial: 2 } }));
    expect(await runOf(run.id)).toMatchObject({
      state: 'ended',
      jobViews: [{ attempts: [{ number: 1, failure: null }] }],
    });
  });

  it('ends the tests of a build that failed, naming patch, file and hunk', async () => {
    const run = await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
    const build = await agent.take('build');
    const error = {
      class: 'apply',
      patch: '0001-x.patch',
      file: 'mm/hmm.c',
      hunk: 2,
      detail: 'context differs',
    } as const;
    const failure = {
      class: 'build',
      stage: 'build',
      message: 'patch "0001-x.patch" does not apply',
      signature: null,
    } as const;
    await agent.events(build, 0, { type: 'build-failed', error }, finished({ failure }));
    const ended = await runOf(run.id);
    expect(ended).toMatchObject({ state: 'ended', verdict: 'fail' });
    const test = ended.jobViews.find(({ kind }) => kind === 'test');
    expect(test).toMatchObject({ state: 'ended', verdict: 'not-reached' });
    expect(test?.waiting).toMatch(/^the build patched failed: patch "0001-x.patch"/);
    const [view] = await farm.call('listBuilds', {});
    expect(view).toMatchObject({ state: 'failed', error });
  });

  it('does not believe in a build whose bundle was not uploaded', async () => {
    const run = await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
    const manifest = (await farm.bundle('ghost')).manifest;
    for (let number = 1; number <= 2; number += 1) {
      const build = await agent.take('build');
      const bundle = { sha256: 'e'.repeat(64), sizeBytes: 5 };
      await agent.events(build, 0, { type: 'built', manifest, bundle, cached: false }, finished());
      await farm.hurry();
    }
    const ended = await runOf(run.id);
    expect(ended.jobViews[0]?.attempts[1]?.failure).toMatchObject({
      class: 'agent-bug',
      message: expect.stringMatching(/not uploaded/),
    });
    expect(ended).toMatchObject({ state: 'ended', verdict: 'infra' });
  });

  it('applies events once and in order, whatever is repeated or missing', async () => {
    await submit();
    const attempt = await agent.take('test');
    const events: AttemptEvent[] = [
      { type: 'stage', stage: 'boot', status: 'started', detail: null },
      { type: 'result', result: sampleResult('p2p-functional', 'F01') },
      {
        type: 'measurement',
        suite: 'p2p-perf',
        test: 'P01',
        metric: { name: 'm', unit: 'ns', better: 'lower', samples: [1], params: {} },
      },
      { type: 'result', result: sampleResult('p2p-functional', 'F02') },
    ];
    await agent.events(attempt, 0, ...events.slice(0, 3));
    await agent.events(attempt, 0, ...events.slice(0, 3));
    const { participantId, fence } = attempt;
    agent.send({ type: 'events', participantId, fence, events: [{ seq: 4, at: 1, event: finished() }] });
    agent.received.length = 0;
    await agent.acked(participantId, 'events', 3);
    expect((await farm.call('getAttempt', { params: { attempt: participantId } })).state).toBe('running');
    await agent.events(attempt, 2, ...events.slice(2), finished());
    const detail = await farm.call('getAttempt', { params: { attempt: participantId } });
    expect(detail.measurements).toHaveLength(1);
    expect(detail.results.map(({ test, verdict }) => `${test} ${verdict}`)).toEqual([
      'F01 pass',
      'F02 pass',
      'F03 not-reached',
      'P01 not-reached',
    ]);
  });

  it('declined work is tried again', async () => {
    await submit();
    const { assignment } = await agent.next('assign');
    agent.send({ type: 'declined', participantId: assignment.participantId, fence: assignment.fence, reason: 'busy' });
    await farm.until('a job that has to wait', () => farm.sql.one(`select 1 from job where not_before is not null`));
    await farm.hurry();
    const again = await agent.take('test');
    expect(again.fence).toBeGreaterThan(assignment.fence);
    await agent.events(again, 0, finished());
  });
});

describe('several controllers', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start();
  });
  afterAll(() => farm.stop());

  it('never lease a machine or a build slot twice', async () => {
    const machines = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`m${i}`, 'BUS_ADDR' as const]));
    const agent = await farm.agent(machines, { buildSlots: 2 });
    const { manifest } = await farm.bundle('many');
    const yaml = `name: many\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {each: true}\n`;
    const builds =
      'name: builds\nbuilds: [{name: a, series: []}, {name: b, series: []}, {name: c, series: []}]\nmachines: {each: true}\n';
    for (let i = 0; i < 5; i += 1) await farm.call('submitRun', { body: { yaml } });
    await farm.call('submitRun', { body: { yaml: builds } });
    const replicas = Array.from({ length: 5 }, () => new Sql(farm.database.address, 2));
    const dispatchers = replicas.map((sql) => dispatcherOn(farm, sql));
    const overlaps = `select count(*) as n from lease a join lease b on a.fence < b.fence
      and (a.machine = b.machine or (a.machine is null and b.machine is null and a.slot = b.slot))
      and b.acquired_at < coalesce(a.released_at, 'infinity')`;
    for (let round = 0; round < 12; round += 1) {
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.dispatch()));
      await farm.sql.run(`update lease set released_at = clock_timestamp() where released_at is null`);
    }
    expect(await farm.sql.one(overlaps)).toEqual({ n: 0 });
    const { n } = (await farm.sql.one<{ n: number }>('select count(*) as n from attempt')) ?? { n: 0 };
    // Every job that was queued got exactly one attempt: 5 runs × 6 machines, and 3 builds.
    expect(n).toBe(33);
    expect(await farm.sql.one('select count(distinct job_id) as n from attempt')).toEqual({ n: 33 });
    await Promise.all(replicas.map((sql) => sql.close()));
    agent.vanish();
  });

  it('never run more tests of an agent than it takes at once, and get through all of them', async () => {
    const names = Array.from({ length: 5 }, (_, i) => `slow${i}`);
    const agent = await farm.agent(Object.fromEntries(names.map((name) => [name, 'BUS_ADDR' as const])), {
      name: 'narrow',
      testSlots: 2,
    });
    const { manifest } = await farm.bundle('narrow');
    const yaml = `name: narrow\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [${names.join(', ')}]}\n`;
    const run = await farm.call('submitRun', { body: { yaml } });
    const replicas = Array.from({ length: 4 }, () => new Sql(farm.database.address, 2));
    const dispatchers = replicas.map((sql) => dispatcherOn(farm, sql));
    const open = async (): Promise<number> =>
      (
        await farm.sql.one<{ n: number }>(
          `select count(*) as n from lease where agent = 'narrow' and released_at is null`,
        )
      )?.n ?? 0;
    const seen: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.dispatch()));
      seen.push(await open());
      if (round === 0) {
        const { jobViews } = await farm.call('getRun', { params: { run: run.id } });
        // Which two run is for the dispatchers to find out: each goes on with what no other has locked.
        const queued = jobViews.filter(({ state }) => state === 'queued');
        expect(queued.map(({ waiting }) => waiting)).toEqual(
          queued.map(({ machine }) => `${machine} is free, but its agent narrow runs 2 of at most 2 tests`),
        );
        expect(queued).toHaveLength(3);
      }
      await farm.sql.run(`update lease set released_at = clock_timestamp() where agent = 'narrow'`);
    }
    expect(seen).toEqual([2, 2, 1]);
    await Promise.all(replicas.map((sql) => sql.close()));
    agent.vanish();
  });
});

/** A dispatcher of another controller on the same database. */
function dispatcherOn({ server: { app } }: TestFarm, sql: Sql): DispatchService {
  return new DispatchService(
    sql,
    app.get(AttemptStore),
    app.get(LeaseStore),
    app.get(TestQueue),
    app.get(BuildQueue),
    app.get(JobService),
    app.get(BuildService),
    app.get(AttemptService),
    app.get(StorageMeter),
  );
}
