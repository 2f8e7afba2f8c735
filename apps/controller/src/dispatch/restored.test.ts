import type { Assignment, AttemptEvent } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

type Finished = Extract<AttemptEvent, { type: 'finished' }>;

let farm: TestFarm;
let agent: FakeAgent;
let yaml: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  const { manifest } = await farm.bundle('fences');
  yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  await farm.sql.run(`update machine set desired = 'active', desired_reason = null, forged_fence = null`);
  await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state in ('queued', 'blocked')`);
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'THRU_HOST_BRIDGE' });
  return () => agent.vanish();
});

const machine = (name = 'm1') => farm.call('getMachine', { params: { machine: name } });
const failure = { class: 'infrastructure', stage: 'test', message: 'the machine refused', signature: null } as const;

/** Takes the test on a machine of a new run. */
async function takeOn(name: string): Promise<Assignment> {
  await farm.call('submitRun', { body: { yaml: `${yaml}machines: {names: [${name}]}\n` } });
  const { assignment } = await agent.next(
    'assign',
    ({ assignment: { work } }) => work.kind === 'test' && work.machine === name,
  );
  agent.send({ type: 'accepted', participantId: assignment.participantId, fence: assignment.fence });
  return assignment;
}

const finish = (attempt: Assignment, more: Partial<Finished>): Promise<void> =>
  agent.events(attempt, 0, { type: 'finished', failure, restored: true, lineCounts: {}, ...more });

async function revoke({ participantId }: Assignment): Promise<void> {
  await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1`, [
    participantId,
  ]);
  await farm.dispatch.reap();
  await farm.until(
    'the attempt to end',
    async () => (await farm.call('getAttempt', { params: { attempt: participantId } })).state,
    (state) => state === 'ended',
  );
}

describe('a machine that shows a fence', () => {
  it('of a person who has it now is left to that person: that fence was given', async () => {
    const attempt = await takeOn('m1');
    await revoke(attempt);
    const body = { seconds: 3600, reason: 'a look' };
    agent.heartbeat();
    const { fence, id } = await farm.until(
      'the reservation',
      () => farm.call('reserveMachine', { params: { machine: 'm1' }, body }),
      ({ state }) => state === 'held',
    );
    await finish(attempt, { restored: null, fenceSeen: fence ?? 0 });
    expect(await machine()).toMatchObject({ desired: 'active', reservation: { id } });
    await farm.sql.run('update machine set reserved = null');
    await farm.sql.run('delete from reservation');
  });

  it.each<[string, (attempt: Assignment) => Partial<Finished>]>([
    ['above all', ({ fence }) => ({ restored: null, fenceSeen: fence + 9_999 })],
    ['of its own attempt', ({ fence }) => ({ restored: null, fenceSeen: fence })],
    ['below its own', () => ({ restored: null, fenceSeen: 0 })],
    ['that its agent does not name', () => ({ restored: null })],
    ['before anything was changed on it', ({ fence }) => ({ restored: true, fenceSeen: fence + 9_999 })],
  ])('%s is quarantined: no other attempt was given it', async (_, how) => {
    const attempt = await takeOn('m1');
    await finish(attempt, how(attempt));
    expect(await machine()).toMatchObject({
      desired: 'quarantined',
      problem: expect.stringMatching(/no newer attempt on it was given.*examine it, then activate it/),
    });
    const [row] = await farm.sql.rows('select restored from participant where id = $1', [attempt.participantId]);
    expect(row).toEqual({ restored: false });
  });

  it('of another execution of the attempt, before anything was changed, takes work again', async () => {
    const attempt = await takeOn('m1');
    await finish(attempt, { restored: true, fenceSeen: attempt.fence });
    expect((await machine()).desired).toBe('active');
  });

  it('that an attempt on another machine has is quarantined', async () => {
    const attempt = await takeOn('m1');
    const other = await takeOn('m2');
    await finish(attempt, { restored: null, fenceSeen: other.fence });
    expect((await machine()).desired).toBe('quarantined');
    await finish(other, { failure: null });
  });

  it.each<[string, (newer: Assignment) => Partial<Finished>]>([
    ['with the fence', ({ fence }) => ({ restored: null, fenceSeen: fence })],
    ['by an agent of before', () => ({ restored: null })],
  ])('of the newer attempt on it is that one’s, as reported %s', async (_, how) => {
    const older = await takeOn('m1');
    await revoke(older);
    await farm.hurry();
    const { assignment: newer } = await agent.next(
      'assign',
      ({ assignment: { participantId } }) => participantId !== older.participantId,
    );
    await finish(older, how(newer));
    expect((await machine()).desired).toBe('active');
    await finish(newer, { failure: null });
    expect((await machine()).desired).toBe('active');
  });
});

it('the next attempt is told of the fence that the machine made up, and never has that fence', async () => {
  const first = await takeOn('m1');
  expect(first.forgedFence).toBeUndefined();
  const sequence = await farm.sql.one<{ next: number }>('select (last_value + 1)::bigint as next from lease_fence');
  const next = sequence?.next ?? 0;
  await finish(first, { restored: null, fenceSeen: next });
  await farm.call('setMachine', { params: { machine: 'm1' }, body: { desired: 'active', reason: 'a test' } });
  const second = await takeOn('m1');
  expect(second.forgedFence).toBe(next);
  expect(second.fence).toBe(next + 1);
  await finish(second, { failure: null });
  expect((await machine()).desired).toBe('active');
});
