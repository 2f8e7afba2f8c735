import { AGENT_LOST_SECONDS, LEASE_SECONDS, type AttemptEvent, type HeldParticipant } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { FleetService } from '../fleet/fleet.service.js';
import { ReconcileService } from './reconcile.service.js';

const finished: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

let farm: TestFarm;
let agent: FakeAgent;
let yaml: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  const { manifest } = await farm.bundle('reconcile');
  yaml = `name: c\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  agent = await farm.agent({ m1: 'BUS_ADDR' });
  return () => agent.vanish();
});

const submit = () => farm.call('submitRun', { body: { yaml } });
const heldOf = (
  attempt: { participantId: string; fence: number },
  more: Partial<HeldParticipant> = {},
): HeldParticipant => ({
  participantId: attempt.participantId,
  fence: attempt.fence,
  machine: 'm1',
  stage: 'test',
  state: 'running',
  nextSeq: {},
  ...more,
});
const stateOf = async ({ participantId }: { participantId: string }) =>
  (await farm.call('getAttempt', { params: { attempt: participantId } })).state;

describe('every heartbeat carries the whole state, and is reconciled', () => {
  it('answers with the leases it renewed, and with the number of the report', async () => {
    await submit();
    const attempt = await agent.take('test');
    const { participantId, fence } = attempt;
    agent.send({ type: 'heartbeat', beat: 41, machines: agent.machines(), participants: [heldOf(attempt)] });
    expect(await agent.next('renewed')).toEqual({
      type: 'renewed',
      beat: 41,
      leaseSeconds: LEASE_SECONDS,
      participants: [{ participantId, fence }],
      at: expect.any(Number),
    });
    agent.heartbeat([heldOf({ participantId, fence: fence + 1 }), heldOf({ participantId: UNKNOWN, fence: 1 })]);
    expect((await agent.next('renewed')).participants).toEqual([]);
    await agent.events(attempt, 0, finished);
  });

  it('takes what the agent holds as accepted, even if its word for that was lost', async () => {
    await submit();
    const { assignment } = await agent.next('assign');
    expect(await stateOf(assignment)).toBe('assigned');
    agent.heartbeat([heldOf(assignment)]);
    await agent.next('renewed');
    expect(await stateOf(assignment)).toBe('running');
    await agent.events(assignment, 0, finished);
  });

  it('ends what the agent lost, without a reconnect', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    agent.heartbeat([heldOf(attempt)]);
    await agent.next('renewed');
    expect(await stateOf(attempt)).toBe('running');
    agent.heartbeat([]);
    await farm.until(
      'the attempt to end',
      () => stateOf(attempt),
      (state) => state === 'ended',
    );
    await farm.hurry();
    await agent.events(await agent.take('test'), 0, finished);
  });

  it('gives again what the agent accepted but never wrote down', async () => {
    await submit();
    const attempt = await agent.take('test');
    await farm.until(
      'the attempt to run',
      () => stateOf(attempt),
      (state) => state === 'running',
    );
    agent.vanish();
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    agent.heartbeat();
    const again = await agent.take('test');
    expect(again).toEqual(attempt);
    await agent.events(again, 0, finished);
  });

  it('tells the agent to drop what it has no right to, with the reason, and again only after a while', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    agent.heartbeat([heldOf(attempt), heldOf({ participantId: UNKNOWN, fence: 3 })]);
    agent.heartbeat([heldOf(attempt), heldOf({ participantId: UNKNOWN, fence: 3 })]);
    expect(await agent.next('drop', ({ code }) => code === 'revoked')).toMatchObject({
      participantId: attempt.participantId,
    });
    expect(await agent.next('drop', ({ code }) => code === 'unknown')).toMatchObject({ participantId: UNKNOWN });
    await agent.next('renewed');
    await agent.next('renewed');
    expect(agent.received.filter(({ type }) => type === 'drop')).toEqual([]);
    await farm.hurry();
    await agent.events(await agent.take('test'), 0, finished);
  });

  it('leaves an attempt alone that is being brought to its end', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    const orders = (state: HeldParticipant['state']) =>
      farm.server.app.get(ReconcileService).ordersFor('lab', [heldOf(attempt, state === undefined ? {} : { state })]);
    const types = async (state: HeldParticipant['state']) => (await orders(state)).map(({ type }) => type);
    expect(await types('running')).toContain('drop');
    expect(await types('stopping')).not.toContain('drop');
    expect(await types('finished')).not.toContain('drop');
    await farm.hurry();
    await agent.events(await agent.take('test'), 0, finished);
  });

  it('a report that came over an older connection ends nothing', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    await farm.server.app.get(ReconcileService).reconcile('lab', UNKNOWN, []);
    expect(await stateOf(attempt)).toBe('running');
    await agent.events(attempt, 0, finished);
  });

  it('a hello that was read late ends nothing; the heartbeat of an agent that was welcomed does', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    // As it was sent before the attempt began, to a controller that was frozen meanwhile.
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    expect(await stateOf(attempt)).toBe('running');
    agent.heartbeat();
    await farm.until(
      'the attempt to end',
      () => stateOf(attempt),
      (state) => state === 'ended',
    );
    await farm.hurry();
    await agent.events(await agent.take('test'), 0, finished);
  });

  it('names what was revoked in the welcome, with the reason and what is stored of it', async () => {
    await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one', 'two']);
    agent.vanish();
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    agent = await FakeAgent.connect(farm.server.url, await farm.token('agent', 'lab'), { machines: ['m1'] });
    const { participants, leaseSeconds } = await agent.hello([
      heldOf(attempt),
      heldOf({ participantId: UNKNOWN, fence: 3 }),
    ]);
    expect(leaseSeconds).toBe(LEASE_SECONDS);
    expect(participants).toMatchObject([
      {
        participantId: attempt.participantId,
        ackedNext: { serial: 2 },
        revoked: expect.stringMatching(/no sign of life/),
      },
    ]);
    await farm.hurry();
    await agent.events(await agent.take('test'), 0, finished);
  });
});

describe('a lost agent', () => {
  it('is noticed within 15 s; its attempt ends as infrastructure with its lease and is tried again', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one']);
    const fleet = farm.server.app.get(FleetService);
    const silent = (seconds: number) =>
      farm.sql.run(
        `update agent set connected = true, last_seen_at = clock_timestamp() - make_interval(secs => $1) where name = 'lab'`,
        [seconds],
      );
    const connected = async () =>
      (await farm.sql.one<{ connected: boolean }>(`select connected from agent where name = 'lab'`))?.connected;
    await silent(AGENT_LOST_SECONDS - 6);
    await fleet.noticeLost();
    expect(await connected()).toBe(true);
    // One look every two seconds.
    await silent(15 - 2);
    await fleet.noticeLost();
    expect(await connected()).toBe(false);
    const machine = await farm.call('getMachine', { params: { machine: 'm1' } });
    expect(machine).toMatchObject({ observed: 'offline', lease: { attemptId: attempt.participantId } });
    expect(await stateOf(attempt)).toBe('running');
    // The machine stays leased until the lease has run out: only then the fence is drawn anew.
    await farm.dispatch.dispatch();
    await farm.dispatch.reap();
    expect(await stateOf(attempt)).toBe('running');
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    await farm.until(
      'the attempt to end',
      () => stateOf(attempt),
      (state) => state === 'ended',
    );
    const { jobViews } = await farm.call('getRun', { params: { run: run.id } });
    expect(jobViews[0]).toMatchObject({ state: 'queued', attempts: [{ failure: { class: 'infrastructure' } }] });
    agent.vanish();
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    await farm.hurry();
    const second = await agent.take('test');
    expect(second.fence).toBeGreaterThan(attempt.fence);
    await agent.events(second, 0, finished);
  });
});
