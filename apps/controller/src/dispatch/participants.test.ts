import type { Assignment, AttemptEvent, FailureClass, TestResult } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';

const finished = (each: FailureClass | null = null, message = 'why', restored = true): AttemptEvent => ({
  type: 'finished',
  failure: each === null ? null : { class: each, stage: 'test', message, signature: null },
  restored,
  lineCounts: {},
});
const failing: TestResult = { ...sampleResult('p2p-functional', 'alias_read'), status: 'fail', reason: 'no answer' };

let farm: TestFarm;
let key: string;
let [lab, other]: FakeAgent[] = [];
beforeAll(async () => {
  farm = await TestFarm.start();
  key = (await farm.bundle('gang')).manifest.key;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  [lab, other] = [
    await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' }),
    await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' }),
  ];
  // What is queued is claimed by these tests only.
  await farm.sql.run(`update machine set desired = 'drained'`);
  await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state = 'queued'`);
  return () => {
    lab?.vanish();
    other?.vanish();
  };
});

/** An attempt with a server on m1 and a client on m2, by two agents. */
async function open(): Promise<{ run: string; attempt: string }> {
  const yaml = `name: gang
builds: [{name: b, bundle: ${key}}]
suites: [p2p-functional]
roles:
  - {name: server, machines: {names: [m1]}}
  - {name: client, machines: {names: [m2]}}
`;
  await farm.sql.run(`update machine set desired = 'active'`);
  const { id: run } = await farm.call('submitRun', { body: { yaml } });
  const attempt = await farm.until('the attempt', async () => {
    const rows = await farm.sql.rows<{ id: string }>(
      `select t.id from attempt t join job j on j.id = t.job_id where j.run_id = $1`,
      [run],
    );
    return rows[0]?.id;
  });
  // What is repeated waits until a test asks for it.
  await farm.sql.run(`update machine set desired = 'drained'`);
  return { run, attempt: attempt ?? '' };
}

async function taken(): Promise<{ run: string; attempt: string; server: Assignment; client: Assignment }> {
  const opened = await open();
  const [server, client] = [await lab?.take('test'), await other?.take('test')];
  if (server === undefined || client === undefined) throw new Error('an agent is missing');
  // One that was not accepted yet would be withdrawn instead of stopped.
  await farm.until('both accepted', async () =>
    (await detail(opened.attempt)).participants.every(({ state }) => state === 'running'),
  );
  return { ...opened, server, client };
}

const detail = (attempt: string) => farm.call('getAttempt', { params: { attempt } });

describe('an attempt with two participants', () => {
  it('is given to both agents, each with its role, its peer, its fence and its nonce', async () => {
    const { attempt, server, client } = await taken();
    expect(server).toMatchObject({
      attemptId: attempt,
      role: 'server',
      peers: [{ role: 'client', machine: 'm2', build: 'b' }],
    });
    expect(client).toMatchObject({
      attemptId: attempt,
      role: 'client',
      peers: [{ role: 'server', machine: 'm1', build: 'b' }],
    });
    expect(client.participantId).not.toBe(server.participantId);
    expect(client.fence).not.toBe(server.fence);
    expect(client.work).toMatchObject({ machine: 'm2' });
    await lab?.events(server, 0, finished());
    // The machine of the one that is done is free; the attempt goes on.
    expect(await detail(attempt)).toMatchObject({ state: 'running', participants: [{ state: 'ended' }, {}] });
    expect(await farm.sql.rows('select machine from lease where released_at is null')).toEqual([{ machine: 'm2' }]);
    await other?.events(client, 0, finished());
    expect(await detail(attempt)).toMatchObject({ state: 'ended', failure: null });
  });

  it('keeps logs, stages and results of each role apart', async () => {
    const { attempt, server, client } = await taken();
    await lab?.log(server, 'serial', 0, ['of the server']);
    await other?.log(client, 'serial', 0, ['of the client']);
    const linesOf = async (role?: string) => {
      const query = { stream: 'serial', ...(role === undefined ? {} : { role }) } as const;
      return (await farm.call('getLog', { params: { attempt }, query })).lines.map(({ text }) => text);
    };
    expect([await linesOf(), await linesOf('server'), await linesOf('client')]).toEqual([
      ['of the server'],
      ['of the server'],
      ['of the client'],
    ]);
    await expect(linesOf('third')).rejects.toThrow(/404|not.found|no role/i);
    const log = { stream: 'serial', fromSeq: 0, toSeq: 0 } as const;
    await lab?.events(
      server,
      0,
      { type: 'result', result: { ...failing, status: 'pass', reason: null, log } },
      finished(),
    );
    await other?.events(client, 0, { type: 'result', result: { ...failing, log } }, finished());
    const { results, participants } = await detail(attempt);
    const both = results.filter(({ test }) => test === 'alias_read');
    expect(both.map(({ role, status, log: at }) => `${role} ${status} ${at?.role}`).toSorted()).toEqual([
      'client fail client',
      'server pass server',
    ]);
    expect(participants.map(({ role, streams }) => [role, streams.map(({ stream }) => stream)])).toEqual([
      ['server', ['serial']],
      ['client', ['serial']],
    ]);
  });

  it('stops the others when one crashed, and says whose crash it was; what failed beside it is no finding', async () => {
    const { run, attempt, server, client } = await taken();
    await other?.events(client, 0, { type: 'result', result: failing });
    await lab?.events(server, 0, finished('kernel-crash', 'KASAN: use-after-free'));
    const stop = await other?.next('stop');
    expect(stop).toMatchObject({
      participantId: client.participantId,
      reason: expect.stringContaining('server failed: KASAN'),
    });
    expect((await detail(attempt)).state).toBe('running');
    await other?.events(client, 1, finished('peer', 'stopped'));
    const ended = await detail(attempt);
    expect(ended).toMatchObject({ state: 'ended', failure: { class: 'kernel-crash', role: 'server' } });
    expect(ended.participants.map(({ failure }) => failure?.class)).toEqual(['kernel-crash', 'peer']);
    expect(ended.results.find(({ role, test }) => role === 'client' && test === 'alias_read')).toMatchObject({
      verdict: 'infra',
      reason: expect.stringMatching(/^participant server failed: KASAN.*no answer$/),
    });
    expect(await farm.call('getRun', { params: { run } })).toMatchObject({ state: 'ended', verdict: 'crash' });
  });

  it('is repeated as a whole when the agent of one was lost', async () => {
    const { run, attempt, server, client } = await taken();
    await lab?.log(server, 'serial', 0, ['one']);
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1`, [
      server.participantId,
    ]);
    expect(await farm.dispatch.reap()).toBe(1);
    await other?.next('stop');
    expect(await detail(attempt)).toMatchObject({
      state: 'running',
      participants: [{ state: 'ended' }, { state: 'running' }],
    });
    await other?.events(client, 0, finished('peer', 'stopped'));
    expect(await detail(attempt)).toMatchObject({
      state: 'ended',
      failure: { class: 'infrastructure', role: 'server' },
    });
    expect((await farm.call('getRun', { params: { run } })).jobViews).toMatchObject([{ state: 'queued' }]);
    expect(await farm.sql.exists('select 1 from lease where released_at is null')).toBe(false);
  });

  it('withdraws what no agent has accepted when another one declines', async () => {
    const { attempt } = await open();
    const { assignment } = (await lab?.next('assign')) ?? {};
    const { participantId = '', fence = 0 } = assignment ?? {};
    lab?.send({ type: 'declined', participantId, fence, reason: 'no disk' });
    await farm.until('the end', async () => (await detail(attempt)).state === 'ended');
    const { failure, participants } = await detail(attempt);
    expect(failure).toMatchObject({
      class: 'infrastructure',
      role: 'server',
      message: expect.stringContaining('no disk'),
    });
    expect(participants.map((each) => each.failure?.class)).toEqual(['infrastructure', 'peer']);
    expect(await farm.sql.exists('select 1 from lease where released_at is null')).toBe(false);
  });

  it('quarantines the machine that was not restored, and no other one', async () => {
    const { server, client } = await taken();
    await lab?.events(server, 0, finished('infrastructure', 'no console', false));
    await other?.next('stop');
    await other?.events(client, 0, finished('peer', 'stopped'));
    const { machines } = await farm.call('getFleet', {});
    expect(machines.map(({ name, desired }) => [name, desired])).toEqual([
      ['m1', 'quarantined'],
      ['m2', 'drained'],
    ]);
  });
});
