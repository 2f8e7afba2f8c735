import type { Assignment, HeldParticipant } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CrashSearchScheduler } from '../crashes/crash-search.scheduler.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import type { TestFarm } from '../testing/farm.js';
import { OneMachine } from '../testing/one-machine.js';

const XID = '[   31.100000] NVRM: Xid (PCI:0000:03:00): 79, pid=0, GPU has fallen off the bus.';
const DPC = '[   31.200000] pcieport 0000:00:1c.0: DPC: containment event, status:0x1f01 source:0x0000';
const CORRECTED = '[   31.300000] pcieport 0000:00:1c.0: AER: Corrected error received: 0000:05:00.0';

let one: OneMachine;
let farm: TestFarm;
let agent: FakeAgent;
beforeEach(async () => {
  one = await OneMachine.start();
  ({ farm, agent } = one);
});
afterEach(() => one.stop());

const finish = (attempt: Assignment) =>
  agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
const heldBy = ({ participantId, fence }: Assignment): HeldParticipant => ({
  participantId,
  fence,
  machine: 'm1',
  stage: 'test',
  state: 'running',
  nextSeq: {},
});

/** The logs of all attempts that ended are searched now. */
function search(): Promise<unknown> {
  return farm.until(
    'the search of the logs',
    async () => {
      await farm.server.app.get(CrashSearchScheduler).tick();
      return farm.sql.one<{ count: number }>('select count(*)::int as count from crash_search');
    },
    (row) => row?.count === 0,
  );
}
/** An attempt with these lines on its console; its logs are searched. */
async function attemptWith(lines: string[]): Promise<Assignment> {
  await one.submit();
  const attempt = await agent.take('test');
  await agent.log(attempt, 'serial', 0, lines);
  await finish(attempt);
  await search();
  return attempt;
}

describe('on a farm that makes no health checks by itself, a hardware alarm', () => {
  it('that nothing corrected quarantines the machine, with what it said, until a person activates it', async () => {
    const { attemptId } = await attemptWith([CORRECTED, XID]);
    const reason = `hardware alarm in attempt ${attemptId}: Xid 79: GPU has fallen off the bus (0000:03:00); look at its hardware, then activate it`;
    expect(await one.machine()).toMatchObject({
      desired: 'quarantined',
      desiredBy: { name: null, reason },
      problem: reason,
      unproven: null,
    });
    const { id } = await one.submit();
    expect(await farm.dispatch.dispatch()).toBe(0);
    const waiting = async () => (await farm.call('getRun', { params: { run: id } })).jobViews[0]?.waiting;
    expect(await waiting()).toBe('m1 is quarantined; activate it to go on');
    await one.activate();
    await finish(await agent.take('test'));
    await search();
    expect(await one.machine()).toMatchObject({ desired: 'active' });
  });

  it('that was corrected changes nothing', async () => {
    await attemptWith([CORRECTED, CORRECTED]);
    expect(await one.machine()).toMatchObject({ desired: 'active', desiredBy: null, problem: null });
    expect(await one.changes()).toEqual([]);
  });

  it('ends no job that runs, and what comes after it is in the history alone', async () => {
    await one.submit();
    const first = await agent.take('test');
    await finish(first);
    await search();
    const { id } = await one.submit();
    const second = await agent.take('test');
    // The last lines of the first came late.
    await agent.log(first, 'serial', 0, [XID]);
    await farm.sql.run('insert into crash_search (participant_id) values ($1)', [first.participantId]);
    await search();
    const { desired, desiredBy } = await one.machine();
    expect([desired, desiredBy?.reason]).toEqual(['quarantined', expect.stringContaining(first.attemptId)]);
    agent.heartbeat([heldBy(second)]);
    expect((await agent.next('renewed')).participants).toHaveLength(1);
    expect(agent.received.filter(({ type }) => ['cancel', 'drop', 'stop'].includes(type))).toEqual([]);
    await agent.log(second, 'serial', 0, [DPC]);
    await finish(second);
    expect(await farm.call('getRun', { params: { run: id } })).toMatchObject({
      state: 'ended',
      cancelRequested: false,
    });
    await search();
    expect((await one.machine()).desiredBy?.reason).toBe(desiredBy?.reason);
    expect((await one.changes()).map(({ reason }) => reason)).toEqual([
      expect.stringContaining(`${second.attemptId}: DPC: containment event`),
      desiredBy?.reason,
    ]);
  });

  it('counts once, however often and late its logs are searched', async () => {
    const { participantId } = await attemptWith([XID]);
    await one.activate();
    const again = () => farm.sql.run('insert into crash_search (participant_id) values ($1)', [participantId]);
    await again();
    await search();
    expect(await one.machine()).toMatchObject({ desired: 'active' });
    // Found for the first time, by a controller that knows more dialects: a person has looked since.
    await farm.sql.run('delete from hardware_alarm');
    await again();
    await search();
    expect(await one.machine()).toMatchObject({ desired: 'active' });
    expect(await farm.call('listMachineAlarms', { params: { machine: 'm1' } })).toHaveLength(1);
  });

  it('of an attempt that ended eight days ago says nothing of today; of six days ago it does', async () => {
    await one.submit();
    const attempt = await agent.take('test');
    await finish(attempt);
    await search();
    await agent.log(attempt, 'serial', 0, [XID]);
    const found = async (days: number) => {
      await farm.sql.run(`update participant set ended_at = now() - $1 * interval '1 day'`, [days]);
      await farm.sql.run('delete from hardware_alarm');
      await farm.sql.run('insert into crash_search (participant_id) values ($1)', [attempt.participantId]);
      await search();
      return (await one.machine()).desired;
    };
    expect([await found(8), await found(6)]).toEqual(['active', 'quarantined']);
  });
});
