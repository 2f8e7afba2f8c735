import { desiredInWords, MACHINE_CHANGES_MAX } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Sql } from '../platform/database/sql.js';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { FleetService } from './fleet.service.js';

let farm: TestFarm;
let agent: FakeAgent;
let yaml: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  const { manifest } = await farm.bundle('desired');
  yaml = `name: d\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  agent = await farm.agent({ m1: 'BUS_ADDR' });
  return () => agent.vanish();
});

const machine = () => farm.call('getMachine', { params: { machine: 'm1' } });
const want = (desired: 'active' | 'drained' | 'maintenance' | 'quarantined', reason = 'a test') =>
  farm.call('setMachine', { params: { machine: 'm1' }, body: { desired, reason } });
const changes = () => farm.call('listMachineChanges', { params: { machine: 'm1' } });
const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;

describe('what people want of a machine', () => {
  it.each(['drained', 'maintenance', 'quarantined'] as const)(
    '%s survives a restart of the controller and of the agent, with reason and name, and keeps new work away',
    async (desired) => {
      expect(await want(desired, 'a new riser')).toMatchObject({
        desired,
        desiredBy: { name: 'tester', reason: 'a new riser', at: expect.any(String) },
        problem: `a new riser (${desiredInWords(desired)} by tester)`,
      });
      await farm.restart();
      agent = await farm.agent({ m1: 'BUS_ADDR' });
      agent.heartbeat();
      await agent.next('renewed');
      const run = await farm.call('submitRun', { body: { yaml } });
      expect(await farm.dispatch.dispatch()).toBe(0);
      expect(await machine()).toMatchObject({ desired, observed: 'online', desiredBy: { name: 'tester' } });
      const { jobViews } = await farm.call('getRun', { params: { run: run.id } });
      expect(jobViews[0]?.waiting).toBe(`m1 is ${desiredInWords(desired)}; activate it to go on`);
      await want('active');
      expect(await machine()).toMatchObject({ desired: 'active', problem: null });
      await agent.events(await agent.take('test'), 0, finished);
    },
  );

  it('needs a reason, and who asked for it when stays known, also when it was the farm itself', async () => {
    const params = { machine: 'm1' };
    const refused = await farm.request('setMachine', { params, body: { desired: 'drained', reason: ' ' } });
    expect(refused.status).toBe(422);
    const before = (await changes()).length;
    await want('drained', 'a new riser');
    await farm.server.app
      .get(Sql)
      .transaction((tx) => farm.server.app.get(FleetService).quarantine(tx, 'm1', 'broken'));
    const token = await farm.token('user', 'colleague');
    await farm.request('setMachine', { params, body: { desired: 'active', reason: 'repaired' } }, token);
    const listed = await changes();
    expect(listed.slice(0, listed.length - before)).toEqual([
      { event: null, desired: 'active', by: 'colleague', reason: 'repaired', at: expect.any(String) },
      { event: null, desired: 'quarantined', by: null, reason: 'broken', at: expect.any(String) },
      { event: null, desired: 'drained', by: 'tester', reason: 'a new riser', at: expect.any(String) },
    ]);
    expect((await farm.request('listMachineChanges', { params: { machine: 'no-such' } })).status).toBe(404);
  });

  it('keeps the first reason of a quarantine until a person has looked, and what came later in its history', async () => {
    const quarantine = (reason: string) =>
      farm.server.app.get(Sql).transaction((tx) => farm.server.app.get(FleetService).quarantine(tx, 'm1', reason));
    const told = async () => {
      const { machines } = await farm.call('getFleet', {});
      const machine = machines.find(({ name }) => name === 'm1');
      return [machine?.desired, machine?.desiredBy?.reason];
    };
    await quarantine('it did not boot');
    await quarantine('it does not answer');
    expect(await told()).toEqual(['quarantined', 'it did not boot']);
    expect((await changes()).slice(0, 2).map(({ desired, reason }) => [desired, reason])).toEqual([
      ['quarantined', 'it does not answer'],
      ['quarantined', 'it did not boot'],
    ]);
    await want('active', 'looked at');
    await quarantine('it did not boot again');
    expect(await told()).toEqual(['quarantined', 'it did not boot again']);
    await want('active', 'looked at');
  });

  it(`is remembered for the newest ${MACHINE_CHANGES_MAX} changes`, async () => {
    for (let change = 1; change <= MACHINE_CHANGES_MAX + 2; change += 1) await want('active', `change ${change}`);
    const listed = await changes();
    expect(listed).toHaveLength(MACHINE_CHANGES_MAX);
    expect([listed[0]?.reason, listed.at(-1)?.reason]).toEqual([`change ${MACHINE_CHANGES_MAX + 2}`, 'change 3']);
  });

  it('leaves alone what runs', async () => {
    const run = await farm.call('submitRun', { body: { yaml } });
    const attempt = await agent.take('test');
    await want('maintenance');
    agent.heartbeat([
      {
        participantId: attempt.participantId,
        fence: attempt.fence,
        machine: 'm1',
        stage: 'test',
        state: 'running',
        nextSeq: {},
      },
    ]);
    expect((await agent.next('renewed')).participants).toHaveLength(1);
    expect(agent.received.filter(({ type }) => type === 'cancel' || type === 'drop')).toEqual([]);
    await agent.events(attempt, 0, finished);
    expect((await farm.call('getRun', { params: { run: run.id } })).state).toBe('ended');
    await want('active');
  });

  it('is overruled by the farm when the machine could not be restored', async () => {
    await farm.call('submitRun', { body: { yaml } });
    const attempt = await agent.take('test');
    await want('drained', 'soon');
    await agent.events(attempt, 0, { ...finished, restored: false });
    expect(await machine()).toMatchObject({
      desired: 'quarantined',
      desiredBy: { name: null, reason: expect.stringMatching(/could not restore it/) },
    });
    await want('active');
  });
});

describe('what is seen of a machine', () => {
  it('it is busy for as long as its agent has an attempt on it, lease or not', async () => {
    await farm.call('submitRun', { body: { yaml } });
    const { participantId, fence } = await agent.take('test');
    const report = async (state: 'running' | 'stopping' | 'finished') => {
      agent.heartbeat([{ participantId, fence, machine: 'm1', stage: 'test', state, nextSeq: {} }]);
      await agent.next('renewed');
    };
    await report('running');
    expect(await machine()).toMatchObject({ observed: 'busy', lease: { attemptId: participantId }, problem: null });
    await want('drained');
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    await report('stopping');
    expect(await machine()).toMatchObject({
      observed: 'busy',
      lease: null,
      problem: `attempt ${participantId} lost its lease and is still being cleaned up here`,
    });
    await report('finished');
    expect(await machine()).toMatchObject({ observed: 'online', problem: 'a test (drained by tester)' });
    await report('stopping');
    await agent.events({ participantId, fence }, 0, finished);
    expect(await machine()).toMatchObject({ observed: 'online' });
    await want('active');
    await farm.hurry();
    await agent.events(await agent.take('test'), 0, finished);
  });
});
