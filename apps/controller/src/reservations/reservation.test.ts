import type { Assignment, HeldParticipant, HeldReservation, Reservation } from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { ReservationService } from './reservation.service.js';

const HOUR = 3600;
/** Between heartbeats, in milliseconds: an agent that says nothing for twelve seconds is cut off. */
const BEAT_MS = 3000;
const BODY = { seconds: 2 * HOUR, reason: 'looks at the firmware' };

let farm: TestFarm;
let agent: FakeAgent;
let key: string;
let ann: string;
let bob: string;
/** What the agent works on, which it reports. */
let working: HeldParticipant[] = [];
let beats: NodeJS.Timeout;
beforeAll(async () => {
  farm = await TestFarm.start();
  key = (await farm.bundle('tested')).manifest.key;
  ann = await farm.token('user', 'ann');
  bob = await farm.token('user', 'bob');
});
afterAll(() => farm.stop());
beforeEach(async () => {
  working = [];
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
  beats = setInterval(() => agent.heartbeat(working), BEAT_MS);
});
afterEach(async () => {
  clearInterval(beats);
  agent.vanish();
  await agent.closed();
  await farm.sql.run(`update run set cancel_requested = true`);
  await farm.sql.run(`update job set state = 'ended' where state <> 'ended'`);
  await farm.sql.run(`update lease set released_at = clock_timestamp() where released_at is null`);
  await farm.sql.run(`update participant set state = 'ended' where state <> 'ended'`);
  await farm.sql.run(
    `update machine set reserved = null, desired = 'active', desired_reason = null, held_participant = null`,
  );
  await farm.sql.run('delete from reservation');
});

const pass = () => farm.server.app.get(ReservationService).pass();
const reserve = (token = ann, body = BODY, machine = 'm1') =>
  farm.request('reserveMachine', { params: { machine }, body }, token);
const giveBack = (reservation: string, token = ann, body: { reason?: string } = {}) =>
  farm.request('returnMachine', { params: { reservation }, body }, token);
const read = async (answer: Response): Promise<Reservation> => {
  expect(answer.status).toBe(200);
  return (await answer.json()) as Reservation;
};
const list = () => farm.call('listReservations', { query: { machine: 'm1' } });
const machine = () => farm.call('getMachine', { params: { machine: 'm1' } });
const submit = async (): Promise<string> => {
  const yaml = `name: r\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [p2p-functional]\nmachines: {names: [m1]}\n`;
  return (await farm.call('submitRun', { body: { yaml } })).id;
};
const whyWaiting = async (run: string) => (await farm.call('getRun', { params: { run } })).jobViews[0]?.waiting;
/** What the farm wants of the agent, after a report of what that has. */
async function wanted(...held: HeldReservation[]) {
  agent.received.splice(0, agent.received.length, ...agent.received.filter(({ type }) => type !== 'renewed'));
  agent.heartbeat([], held);
  return (await agent.next('renewed')).reservations;
}
const heldOf = ({ participantId, fence }: Assignment): HeldParticipant => ({
  participantId,
  fence,
  machine: 'm1',
  stage: null,
  nextSeq: {},
});
const told = ({ id, fence }: Reservation, state: HeldReservation['state'], detail: string | null = null) => ({
  reservationId: id,
  fence: fence ?? 0,
  state,
  detail,
});

describe('a machine that nothing runs on', () => {
  it('is its holder’s at once: no job takes it, and every list says who has it, until when and why', async () => {
    const held = await read(await reserve());
    expect(held).toMatchObject({ machine: 'm1', holder: 'ann', state: 'held', seconds: 2 * HOUR, outcome: null });
    expect(Date.parse(held.until ?? '') - Date.parse(held.begunAt ?? '')).toBe(2 * HOUR * 1000);
    const run = await submit();
    expect(await farm.dispatch.dispatch()).toBe(0);
    const words = /reserved by ann until \d{4}-\d\d-\d\d \d\d:\d\d UTC: looks at the firmware/;
    expect(await whyWaiting(run)).toMatch(words);
    expect(await whyWaiting(run)).toMatch(/about to start in|about 2 h|in about/);
    expect(await machine()).toMatchObject({ reservation: { id: held.id, holder: 'ann' }, desired: 'active' });
    expect((await machine()).problem).toMatch(words);
    expect(await farm.call('listMachineChanges', { params: { machine: 'm1' } })).toMatchObject([
      { event: 'reserved', by: 'ann', reason: BODY.reason, desired: 'active' },
    ]);
    expect(await wanted()).toEqual([{ reservationId: held.id, machine: 'm1', fence: held.fence, state: 'held' }]);
  });

  it('is refused to agents, to everybody without a token, and while somebody else has it', async () => {
    expect((await reserve(await farm.token('agent', 'other'))).status).toBe(403);
    const { method, headers, body } = {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(BODY),
    };
    const url = `${farm.server.url}/api/v1/machines/m1/reservation`;
    expect((await fetch(url, { method, headers, body })).status).toBe(401);
    expect((await reserve(ann, BODY, 'nowhere')).status).toBe(404);
    expect((await reserve(ann, { ...BODY, seconds: 8 * 24 * HOUR })).status).toBe(422);
    await read(await reserve());
    const refused = await reserve(bob);
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('reserved by ann until')]);
    expect(await list()).toHaveLength(1);
  });

  it('asked for again by its holder it is the same reservation, whose time counts from then', async () => {
    const first = await read(await reserve());
    await farm.sql.run(`update reservation set until = clock_timestamp() + interval '5 minutes'`);
    const again = await read(await reserve(ann, { seconds: HOUR, reason: 'one more look' }));
    expect(again).toMatchObject({ id: first.id, fence: first.fence, begunAt: first.begunAt, reason: 'one more look' });
    const left = Date.parse(again.until ?? '') - Date.now();
    expect(Math.abs(left - HOUR * 1000)).toBeLessThan(60_000);
    const [change] = await farm.call('listMachineChanges', { params: { machine: 'm1' } });
    expect(change).toMatchObject({ event: 'extended', by: 'ann' });
  });

  it('is not given to anybody where its agent could not restore it', async () => {
    agent.vanish();
    await agent.closed();
    agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' }, { restores: false });
    const refused = await reserve();
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('update the agent')]);
    expect((await machine()).reservation).toBeUndefined();
  });
});

describe('a machine that an attempt is on', () => {
  it('is its holder’s when that has ended and its agent has nothing there any more', async () => {
    const run = await submit();
    const attempt = await agent.take('test');
    working = [heldOf(attempt)];
    agent.heartbeat(working);
    await farm.until('the agent’s word', machine, ({ observed }) => observed === 'busy');
    const waiting = await read(await reserve());
    expect(waiting).toMatchObject({ state: 'waiting', until: null, fence: null });
    expect((await machine()).problem).toBe('it is reserved by ann as soon as it is free: looks at the firmware');
    await pass();
    expect(await list()).toMatchObject([{ state: 'waiting' }]);
    await submit();
    await agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
    working = [];
    await farm.until(
      'the end of the run',
      () => farm.call('getRun', { params: { run } }),
      ({ state }) => state === 'ended',
    );
    agent.heartbeat();
    await farm.until(
      'the beginning',
      async () => (await pass(), list()),
      ([one]) => one?.state === 'held',
    );
    const [held] = await list();
    expect(held?.fence).toBeGreaterThan(attempt.fence);
    expect(await farm.dispatch.dispatch()).toBe(0);
  });

  it('withdrawn before that, the reservation ends and the next job takes the machine', async () => {
    await submit();
    const attempt = await agent.take('test');
    working = [heldOf(attempt)];
    const { id } = await read(await reserve());
    expect(await read(await giveBack(id))).toMatchObject({ state: 'ended', outcome: 'withdrawn', returnedBy: 'ann' });
    const next = await submit();
    await agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
    working = [];
    expect((await agent.take('test')).runId).toBe(next);
  });
});

describe('a machine that is given back', () => {
  it('takes no job before its agent has restored it, whatever is reported late, twice or by another', async () => {
    const held = await read(await reserve());
    await submit();
    expect(await wanted(told(held, 'restored'))).toMatchObject([{ state: 'held' }]);
    expect(await read(await giveBack(held.id))).toMatchObject({ state: 'returning', returnedBy: 'ann' });
    expect(await read(await giveBack(held.id, bob))).toMatchObject({ state: 'returning', returnedBy: 'ann' });
    expect((await reserve()).status).toBe(409);
    expect(await wanted(told({ ...held, fence: 1 }, 'restored'))).toMatchObject([{ state: 'returning' }]);
    const other = await farm.agent({ m9: 'BUS_ADDR' }, { name: 'other-lab' });
    other.heartbeat([], [told(held, 'restored')]);
    await other.next('renewed');
    expect(await farm.dispatch.dispatch()).toBe(0);
    expect(await wanted(told(held, 'restored', '6.1.0 runs, nothing of ours is left'))).toEqual([]);
    expect(await wanted(told(held, 'not-restored', 'late'))).toEqual([]);
    other.vanish();
    expect(await list()).toMatchObject([
      { state: 'ended', outcome: 'restored', detail: '6.1.0 runs, nothing of ours is left' },
    ]);
    expect((await machine()).desired).toBe('active');
    expect((await agent.take('test')).work).toMatchObject({ machine: 'm1' });
  });

  it('goes back by itself when its time is over, also when the controller was away meanwhile', async () => {
    await read(await reserve());
    await farm.sql.run(`update reservation set until = clock_timestamp() - interval '1 second'`);
    await farm.restart();
    await farm.until('the return', list, ([one]) => one?.state === 'returning');
    expect((await list())[0]).toMatchObject({ returnedBy: null });
    const [change] = await farm.call('listMachineChanges', { params: { machine: 'm1' } });
    expect(change).toMatchObject({ event: 'returned', by: null, reason: 'its time was over' });
  });

  it('goes into quarantine with what was seen when it could not be restored', async () => {
    const held = await read(await reserve());
    await read(await giveBack(held.id));
    await wanted(told(held, 'not-restored', 'm1 was not restored: no answer\nthe console said: panic'));
    expect(await machine()).toMatchObject({
      desired: 'quarantined',
      desiredBy: {
        name: null,
        reason: expect.stringContaining('after ann had it reserved: m1 was not restored: no answer'),
      },
    });
    expect((await machine()).reservation).toBeUndefined();
    expect((await list())[0]?.detail).toContain('the console said: panic');
  });

  it('by another person than its holder only with a reason, which is kept', async () => {
    const { id } = await read(await reserve());
    const refused = await giveBack(id, bob);
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('say why')]);
    expect(await read(await giveBack(id, bob, { reason: 'ann is on holiday' }))).toMatchObject({ returnedBy: 'bob' });
    const [change] = await farm.call('listMachineChanges', { params: { machine: 'm1' } });
    expect(change).toMatchObject({ event: 'returned', by: 'bob', reason: 'ann is on holiday' });
    expect((await giveBack('00000000-0000-4000-8000-000000000000')).status).toBe(404);
  });
});
