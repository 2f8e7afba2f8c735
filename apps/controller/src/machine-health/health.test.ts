import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  HealthPolicy,
  type Assignment,
  type HeldParticipant,
  type ResultStatus,
  RetentionPolicy,
} from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CrashSearchScheduler } from '../crashes/crash-search.scheduler.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { HealthService } from './health.service.js';

const POLICY = { enabled: true, template: 'golden', boots: 2, troubleAfter: 2, requeueSuspects: true, requeueMax: 1 };

let templates: string;
let farm: TestFarm;
let agent: FakeAgent;
let key: string;
/** What the agent works on, which it reports. */
const held = new Map<string, HeldParticipant>();
beforeAll(async () => {
  templates = await mkdtemp(join(tmpdir(), 'templates-'));
});
afterAll(() => rm(templates, { recursive: true }));
beforeEach(async () => {
  held.clear();
  farm = await TestFarm.start({ templatesDir: templates, health: HealthPolicy.parse(POLICY) });
  key = (await farm.bundle('tested')).manifest.key;
  const { manifest } = await farm.bundle('known-good');
  const golden = `name: golden\nbuilds: [{name: known-good, bundle: ${manifest.key}}]\nsuites: [p2p-functional]\n`;
  await writeFile(join(templates, 'golden.yaml'), golden);
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
});
afterEach(async () => {
  agent.vanish();
  await farm.stop();
});

/** The farm looks after its machines now, not with the next tick. */
async function look(): Promise<void> {
  agent.heartbeat([...held.values()]);
  // What the logs of ended attempts say of the hardware is known first.
  await farm.until(
    'the search of the logs',
    async () => {
      await farm.server.app.get(CrashSearchScheduler).tick();
      return farm.sql.one<{ count: number }>('select count(*)::int as count from crash_search');
    },
    (row) => row?.count === 0,
  );
  await farm.server.app.get(HealthService).pass();
}
const health = (machine: string) => farm.call('getMachineHealth', { params: { machine } });
const machineOf = (name: string) => farm.call('getMachine', { params: { machine: name } });
const activate = (machine: string) =>
  farm.call('setMachine', { params: { machine }, body: { desired: 'active', reason: 'a new riser' } });
const submit = async (machines: string): Promise<string> => {
  const yaml = `name: of people\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [p2p-functional]\nmachines: ${machines}\n`;
  return (await farm.call('submitRun', { body: { yaml } })).id;
};

async function takeOn(name: string): Promise<Assignment> {
  agent.heartbeat([...held.values()]);
  const { assignment } = await agent.next(
    'assign',
    ({ assignment: { work } }) => work.kind === 'test' && work.machine === name,
  );
  const { participantId, fence } = assignment;
  agent.send({ type: 'accepted', participantId, fence });
  held.set(participantId, { participantId, fence, machine: name, stage: null, nextSeq: {} });
  return assignment;
}

async function finish(attempt: Assignment, ending: ResultStatus | 'infrastructure' = 'pass'): Promise<void> {
  const lost = { class: 'infrastructure', stage: 'boot', message: 'no power', signature: null } as const;
  const tests = ['F01', 'F02', 'F03'].map((test) => ({
    type: 'result' as const,
    result:
      test === 'F02' && ending !== 'infrastructure' && ending !== 'pass'
        ? sampleResult('p2p-functional', test, { status: ending, reason: 'byte 7 differs' })
        : sampleResult('p2p-functional', test),
  }));
  await agent.events(attempt, 0, ...(ending === 'infrastructure' ? [] : tests), {
    type: 'finished',
    failure: ending === 'infrastructure' ? lost : null,
    restored: true,
    lineCounts: {},
  });
  held.delete(attempt.participantId);
}

/** The machine passes its check: all its boots. */
async function prove(...names: string[]): Promise<void> {
  await look();
  for (let boot = 0; boot < POLICY.boots; boot += 1) for (const name of names) await finish(await takeOn(name));
  await look();
}

describe('a machine that was never checked', () => {
  it('takes its check alone, all boots of it, and serves afterwards', async () => {
    const run = await submit('{names: [m1]}');
    expect(await machineOf('m1')).toMatchObject({ unproven: 'it has not passed its first health check' });
    const [waiting] = (await farm.call('getRun', { params: { run } })).jobViews;
    expect(waiting?.waiting).toBe(
      'm1 takes no jobs until its health check has passed: it has not passed its first health check',
    );
    await look();
    const first = await takeOn('m1');
    expect(first.runId).not.toBe(run);
    await finish(first);
    await look();
    expect((await health('m1')).checks).toMatchObject([{ number: 1, kind: 'required', boots: 2, outcome: null }]);
    const second = await takeOn('m1');
    expect(second.runId).toBe(first.runId);
    await finish(second);
    await look();
    expect(await health('m1')).toMatchObject({
      unproven: null,
      goodAt: expect.any(String),
      nextAt: expect.any(String),
      checks: [{ number: 1, runId: first.runId, outcome: 'passed', detail: null }],
    });
    const work = await takeOn('m1');
    expect(work.runId).toBe(run);
    await finish(work);
    const metrics = String(await farm.call('metrics', {}));
    expect(metrics).toContain('peerlab_machines_unproven 1');
    expect(metrics).toContain('peerlab_health_checks{outcome="passed"} 1');
    // The other one is still not proven.
    expect((await machineOf('m2')).unproven).toBe('it has not passed its first health check');
  });

  it('is checked once, however often and by whomever the farm is looked after', async () => {
    const other = await farm.replica();
    await Promise.all([look(), other.app.get(HealthService).pass(), look()]);
    await other.close();
    expect((await health('m1')).checks).toHaveLength(1);
    expect(await farm.call('listRuns', { query: { purpose: 'health' } })).toHaveLength(2);
  });
});

describe('a machine that fails its check', () => {
  it('is quarantined with what it failed, and what it tested since it passed is suspect and done again elsewhere', async () => {
    await prove('m1', 'm2');
    // Both of its tests say something; the policy takes one of them to another machine.
    await farm.call('setMachine', { params: { machine: 'm2' }, body: { desired: 'drained', reason: 'wait' } });
    const early = await submit('{}');
    await finish(await takeOn('m1'), 'fail');
    const late = await submit('{}');
    const lateAttempt = await takeOn('m1');
    await finish(lateAttempt);
    await farm.call('checkMachine', { params: { machine: 'm1' }, body: { reason: 'it is hot' } });
    const check = await takeOn('m1');
    await finish(check, 'fail');
    await look();
    expect(await machineOf('m1')).toMatchObject({
      desired: 'quarantined',
      desiredBy: {
        name: null,
        reason: `health check ${check.runId} failed: p2p-functional/F02: fail: byte 7 differs; mend it, then activate it`,
      },
    });
    const { goodAt, checks, suspects } = await health('m1');
    expect(checks[0]).toMatchObject({ kind: 'asked', by: 'tester', reason: 'it is hot', boots: 1, outcome: 'failed' });
    expect(suspects).toBe(2);
    const requeued = (await farm.call('listRuns', { query: {} })).find(({ trigger }) => trigger.kind === 'farm');
    const why = { machine: 'm1', reason: 'p2p-functional/F02: fail: byte 7 differs', goodAt, checkRun: check.runId };
    const suspectsOf = async (run: string) => (await farm.call('getRun', { params: { run } })).suspects;
    expect(await suspectsOf(late)).toMatchObject([{ ...why, requeuedAs: requeued?.id }]);
    expect(await suspectsOf(early)).toMatchObject([{ ...why, requeuedAs: null }]);
    const params = { attempt: lateAttempt.attemptId };
    expect((await farm.call('getAttempt', { params })).suspects).toMatchObject([why]);
    const query = { suite: 'p2p-functional', test: 'F01' };
    expect((await farm.call('getResult', { params, query })).suspects).toMatchObject([why]);
    const attempts = await farm.call('listMachineAttempts', { params: { machine: 'm1' } });
    expect(attempts.filter(({ isSuspect }) => isSuspect).map(({ run }) => run.id)).toEqual([late, early]);
    // The verdicts stay what they were.
    expect((await farm.call('getRun', { params: { run: early } })).verdict).toBe('fail');
    await activate('m2');
    const again = await takeOn('m2');
    expect(again.runId).toBe(requeued?.id);
    await finish(again);
    // Once: the next looks find nothing to submit.
    await look();
    const farmed = (await farm.call('listRuns', { query: {} })).filter(({ trigger }) => trigger.kind === 'farm');
    expect(farmed).toHaveLength(1);
  });

  it('has to pass again before it serves, when somebody activates it', async () => {
    await prove('m1', 'm2');
    await farm.call('checkMachine', { params: { machine: 'm1' }, body: { reason: 'a look' } });
    await finish(await takeOn('m1'), 'crash');
    await look();
    await activate('m1');
    expect((await health('m1')).unproven).toMatch(/^it was quarantined: health check .* failed/);
    const run = await submit('{names: [m1]}');
    await prove('m1');
    const work = await takeOn('m1');
    expect(work.runId).toBe(run);
    await finish(work);
  });
});

describe('trouble of the lab', () => {
  it('asks for a check when a machine has it several times in a row', async () => {
    await prove('m1', 'm2');
    await submit('{names: [m1]}');
    await finish(await takeOn('m1'), 'infrastructure');
    await look();
    expect((await health('m1')).unproven).toBeNull();
    await farm.hurry();
    await finish(await takeOn('m1'), 'infrastructure');
    await look();
    expect((await health('m1')).unproven).toBe('2 attempts in a row on it ended as trouble of the lab');
    await farm.hurry();
    const check = await takeOn('m1');
    expect((await farm.call('getRun', { params: { run: check.runId } })).purpose).toBe('health');
    await finish(check);
  });

  it('is no failure of the machine and no pass: it is checked again after a pause, three times', async () => {
    for (let time = 1; time <= 3; time += 1) {
      await look();
      // Each boot is tried three times.
      for (let attempt = 0; attempt < 3 * POLICY.boots; attempt += 1) {
        await finish(await takeOn('m1'), 'infrastructure');
        await farm.hurry();
      }
      await look();
      const { checks, unproven } = await health('m1');
      expect(checks[0]).toMatchObject({ outcome: 'inconclusive', detail: 'a boot was disturbed by the lab: no power' });
      expect(unproven).not.toBeNull();
      await look();
      expect((await health('m1')).checks).toHaveLength(time);
      await farm.sql.run(`update health_check set ended_at = ended_at - interval '11 minutes' where machine = 'm1'`);
    }
    expect(await machineOf('m1')).toMatchObject({
      desired: 'quarantined',
      problem: expect.stringMatching(/^its last 3 health checks could not be finished: .*no power/),
    });
    expect((await health('m1')).suspects).toBe(0);
    // Somebody looked at it: it is given three tries again.
    await activate('m1');
    await look();
    for (let attempt = 0; attempt < 3 * POLICY.boots; attempt += 1) {
      await finish(await takeOn('m1'), 'infrastructure');
      await farm.hurry();
    }
    await look();
    expect(await machineOf('m1')).toMatchObject({ desired: 'active', unproven: expect.any(String) });
  });
});

it('a check is due when its time has come', async () => {
  await prove('m1', 'm2');
  await look();
  expect((await health('m1')).checks).toHaveLength(1);
  await farm.sql.run(`update health_check set ended_at = ended_at - interval '169 hours' where machine = 'm1'`);
  await look();
  expect((await health('m1')).checks[0]).toMatchObject({ number: 2, kind: 'schedule', boots: 1 });
  // It serves while it waits for the check.
  expect((await machineOf('m1')).unproven).toBeNull();
  await finish(await takeOn('m1'));
});

it('a check that cannot be planned says why, to the person who asked and on the page', async () => {
  await writeFile(join(templates, 'golden.yaml'), `name: golden\nbuilds: [{name: b, bundle: ${'ab'.repeat(32)}}]\n`);
  const asked = await farm.request('checkMachine', { params: { machine: 'm1' }, body: { reason: 'a look' } });
  expect(asked.status).toBe(409);
  expect(await asked.json()).toMatchObject({ detail: expect.stringContaining('no bundle with the key abab') });
  await look();
  expect((await health('m1')).checks).toMatchObject([{ outcome: 'refused', runId: null }]);
  const unknown = await farm.request('checkMachine', { params: { machine: 'm9' }, body: { reason: 'a look' } });
  expect(unknown.status).toBe(404);
});

it('a check that the full storage refuses is said, and one machine’s trouble is not another’s', async () => {
  await writeFile(join(templates, 'golden.yaml'), 'name: golden\nbuilds: [{name: g, series: []}]\n');
  const full = await TestFarm.start({
    templatesDir: templates,
    health: HealthPolicy.parse(POLICY),
    retention: RetentionPolicy.parse({ freeBytes: 2 ** 50 }),
  });
  const own = await full.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
  try {
    await full.until('the storage to be full', () => full.sql.one(`select use from storage where level = 'full'`));
    await full.server.app.get(HealthService).pass();
    for (const machine of ['m1', 'm2']) {
      const { checks } = await full.call('getMachineHealth', { params: { machine } });
      expect(checks).toMatchObject([
        { outcome: 'refused', runId: null, detail: expect.stringContaining('no room for new runs') },
      ]);
    }
  } finally {
    own.vanish();
    await full.stop();
  }
});

it('what a check finds counts nowhere as a finding of a kernel', async () => {
  await prove('m1', 'm2');
  await submit('{names: [m1]}');
  const tested = await takeOn('m1');
  await finish(tested, 'fail');
  await farm.call('checkMachine', { params: { machine: 'm1' }, body: { reason: 'a look' } });
  const check = await takeOn('m1');
  await finish(check, 'fail');
  const grid = await farm.call('getGrid', { query: {} });
  expect(grid.columns.map(({ build }) => build.name)).toEqual(['b']);
  const query = { suite: 'p2p-functional', test: 'F02' };
  const { entries } = await farm.call('getHistory', { query });
  expect(entries.map(({ attemptId }) => attemptId)).toEqual([tested.attemptId]);
  expect(await farm.call('getFailure', { params: { attempt: tested.attemptId }, query })).toMatchObject({ count: 1 });
  // The check's own page speaks of checks.
  expect(await farm.call('getFailure', { params: { attempt: check.attemptId }, query })).toMatchObject({ count: 1 });
  const { failures } = await farm.call('listRunFailures', { params: { run: check.runId } });
  expect(failures).toMatchObject([{ test: 'F02', earlier: 0 }]);
  expect((await farm.call('listRuns', { query: {} })).map(({ purpose }) => purpose)).toEqual(['test']);
  const kernels = await farm.call('getBuildGrid', { query: { combination: 'all' } });
  expect(kernels.columns.map(({ release }) => release)).toEqual(['7.3.4-tested']);
  for (const [name, params] of [
    ['retryRun', { run: check.runId }],
    ['retryJob', { job: (await farm.call('getRun', { params: { run: check.runId } })).jobViews[0]?.id ?? '' }],
  ] as const) {
    const answer = await farm.request(name, { params } as never);
    expect([answer.status, await answer.json()]).toMatchObject([409, { code: 'health-run' }]);
  }
});

it('a forgotten machine keeps its checks, and has to prove itself when an agent names it again', async () => {
  await writeFile(join(templates, 'golden.yaml'), 'name: [');
  await look();
  expect((await health('m1')).checks).toMatchObject([{ outcome: 'refused' }]);
  await farm.sql.run(`update machine set unproven = null, unproven_at = null where name = 'm1'`);
  agent.vanish();
  await farm.until('the agent to be gone', async () => {
    const { agents } = await farm.call('getFleet', {});
    return agents.every(({ connected }) => !connected);
  });
  expect(await farm.call('forgetMachine', { params: { machine: 'm1' } })).toEqual({ removed: false });
  const other = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'other' });
  expect(await machineOf('m1')).toMatchObject({
    agent: 'other',
    unproven: 'it has not passed its first health check',
  });
  expect((await health('m1')).checks).toHaveLength(1);
  other.vanish();
});

it('without the setting machines serve at once, and a person may still ask for a check that holds them', async () => {
  const quiet = await TestFarm.start({ templatesDir: templates });
  const own = await quiet.agent({ m1: 'BUS_ADDR' });
  try {
    await quiet.server.app.get(HealthService).pass();
    const view = await quiet.call('getMachineHealth', { params: { machine: 'm1' } });
    expect(view).toEqual({ enabled: false, unproven: null, goodAt: null, nextAt: null, checks: [], suspects: 0 });
    const { manifest } = await quiet.bundle('known-good');
    const params = { machine: 'm1' };
    // A check that cannot be planned holds nothing.
    const refused = await quiet.request('checkMachine', { params, body: { reason: 'a look', hold: true } });
    expect(refused.status).toBe(409);
    expect((await quiet.call('getMachineHealth', { params })).unproven).toBeNull();
    await writeFile(join(templates, 'health.yaml'), `name: golden\nbuilds: [{name: g, bundle: ${manifest.key}}]\n`);
    const held = await quiet.call('checkMachine', { params, body: { reason: 'a new card', hold: true } });
    expect(held).toMatchObject({ unproven: 'a new card (tester)', checks: [{ kind: 'asked', boots: 3 }] });
  } finally {
    own.vanish();
    await quiet.stop();
  }
});
