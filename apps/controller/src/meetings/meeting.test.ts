import type { Assignment, FromAgent, MeetingArrival, MeetingPlace, ToAgent } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { takePair } from '../testing/pair-attempt.js';

let farm: TestFarm;
let key: string;
let lab: FakeAgent;
let other: FakeAgent;
let server: Assignment;
let client: Assignment;
beforeAll(async () => {
  farm = await TestFarm.start();
  key = (await farm.bundle('gang')).manifest.key;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  await farm.sql.run(`update machine set desired = 'drained'`);
  await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state = 'queued'`);
  ({ server, client } = await takePair(farm, key, lab, other));
  return async () => {
    await farm.sql.run(`update lease set released_at = clock_timestamp() where released_at is null`);
    await farm.sql.run(`update participant set state = 'ended', revoked_at = clock_timestamp() where state <> 'ended'`);
    lab.vanish();
    other.vanish();
  };
});

const place = (test: number, step: number, suite = 'pair'): MeetingPlace => ({ suite, test, step });
function come(who: Assignment, at: MeetingPlace | null, value = who.role, waitSeconds = 60, left: string[] = []): void {
  const { participantId, fence } = who;
  const arrival: MeetingArrival | null = at === null ? null : { place: at, value, waitSeconds };
  const frame: FromAgent = { type: 'meeting', participantId, fence, left, over: null, at: arrival };
  (who === server ? lab : other).send(frame);
}
const told = async (who: Assignment, at: MeetingPlace): Promise<unknown> => {
  const agent = who === server ? lab : other;
  const isOf = (m: Extract<ToAgent, { type: 'meeting' }>): boolean =>
    m.participantId === who.participantId &&
    m.place.suite === at.suite &&
    m.place.test === at.test &&
    m.place.step === at.step;
  const { outcome } = await agent.next('meeting', isOf);
  return outcome.kind === 'met' ? outcome.peers : outcome.reason;
};
/** Everything that an agent sent before has been handled. */
async function handled(agent: FakeAgent, who: Assignment): Promise<void> {
  const { participantId, fence } = who;
  agent.heartbeat([{ participantId, fence, machine: null, stage: 'test', nextSeq: {} }]);
  await agent.next('renewed');
}

describe('two participants meet', () => {
  it('and each is told what the other one said, though they come one after the other', async () => {
    come(server, place(0, 0), '10.77.0.1 port 18515');
    await handled(lab, server);
    expect(lab.received.some(({ type }) => type === 'meeting')).toBe(false);
    come(client, place(0, 0), 'ready');
    expect(await told(client, place(0, 0))).toEqual([{ role: 'server', value: '10.77.0.1 port 18515' }]);
    expect(await told(server, place(0, 0))).toEqual([{ role: 'client', value: 'ready' }]);
  });

  it('once, however often they say that they are there, and are told the same again', async () => {
    for (let i = 0; i < 3; i += 1) come(server, place(0, 1), i === 0 ? 'first' : 'changed');
    come(client, place(0, 1));
    expect(await told(client, place(0, 1))).toEqual([{ role: 'server', value: 'first' }]);
    await told(server, place(0, 1));
    come(server, place(0, 1), 'again');
    expect(await told(server, place(0, 1))).toEqual([{ role: 'client', value: 'client' }]);
    expect(
      await farm.sql.rows('select participant_id from meeting where participant_id = any($1)', [
        [server.participantId, client.participantId],
      ]),
    ).toHaveLength(2);
  });

  it('over a controller that was started meanwhile, and over a new connection', async () => {
    come(server, place(0, 0), 'before');
    await handled(lab, server);
    lab.vanish();
    await farm.restart();
    const tokens = [await farm.token('agent', 'lab'), await farm.token('agent', 'other')] as const;
    lab = await FakeAgent.connect(farm.server.url, tokens[0], { name: 'lab', machines: ['m1'] });
    other = await FakeAgent.connect(farm.server.url, tokens[1], { name: 'other', machines: ['m2'] });
    for (const [agent, { participantId, fence }] of [
      [lab, server],
      [other, client],
    ] as const)
      await agent.hello([{ participantId, fence, machine: null, stage: 'test', nextSeq: {} }]);
    come(client, place(0, 0), 'after');
    expect(await told(client, place(0, 0))).toEqual([{ role: 'server', value: 'before' }]);
    // The hint reached its new connection; without it the agent would ask again.
    expect(await told(server, place(0, 0))).toEqual([{ role: 'client', value: 'after' }]);
  });

  it('on two controllers', async () => {
    const replica = await farm.replica();
    const far = await FakeAgent.connect(replica.url, await farm.token('agent', 'other'), {
      name: 'other',
      machines: ['m2'],
    });
    await far.hello([
      { participantId: client.participantId, fence: client.fence, machine: null, stage: 'test', nextSeq: {} },
    ]);
    other = far;
    come(server, place(4, 0));
    await handled(lab, server);
    come(client, place(4, 0));
    expect(await told(client, place(4, 0))).toEqual([{ role: 'server', value: 'server' }]);
    expect(await told(server, place(4, 0))).toEqual([{ role: 'client', value: 'client' }]);
    far.vanish();
    await replica.close();
  });
});

describe('who waits in vain is told', () => {
  it('that the time is over, by the database clock', async () => {
    come(server, place(0, 0), 'x', 60);
    await handled(lab, server);
    await farm.sql.run(`update meeting set deadline_at = clock_timestamp() where participant_id = $1`, [
      server.participantId,
    ]);
    come(server, place(0, 0), 'x', 60);
    expect(await told(server, place(0, 0))).toBe('participant client did not come within 60 s');
    // Who comes then is told the same, and does not wait for one that has gone on.
    come(client, place(0, 0));
    expect(await told(client, place(0, 0))).toBe(
      'participant server gave up waiting here: participant client did not come within 60 s',
    );
  });

  it('that the other one is beyond, is through with the suite, or has given up', async () => {
    come(client, place(1, 1));
    await handled(other, client);
    come(server, place(2, 0));
    expect(await told(client, place(1, 1))).toBe('participant server is beyond this place');
    come(client, place(2, 0));
    await told(client, place(2, 0));
    await told(server, place(2, 0));
    come(client, place(2, 1));
    await handled(other, client);
    come(server, null, '', 60, ['pair']);
    expect(await told(client, place(2, 1))).toBe('participant server is through with pair');
    come(client, place(0, 0, 'next'));
    await handled(other, client);
    come(client, null);
    await handled(other, client);
    come(server, place(0, 0, 'next'));
    expect(await told(server, place(0, 0, 'next'))).toBe('participant client gave up waiting here: its program ended');
  });

  it('that the other one has ended, and why', async () => {
    await other.events(client, 0, {
      type: 'finished',
      failure: { class: 'provisioning', stage: 'boot', message: 'the candidate did not come up', signature: null },
      restored: true,
      lineCounts: {},
    });
    come(server, place(0, 0));
    expect(await told(server, place(0, 0))).toBe('participant client has ended: the candidate did not come up');
  });

  it('that the other one will not come, before its machine is restored', async () => {
    come(server, place(0, 0));
    await handled(lab, server);
    const { participantId, fence } = client;
    const over = 'has crashed in F97.traffic: KASAN: use-after-free';
    other.send({ type: 'meeting', participantId, fence, left: [], over, at: null });
    expect(await told(server, place(0, 0))).toBe(`participant client ${over}`);
    come(server, place(0, 1));
    expect(await told(server, place(0, 1))).toBe(`participant client ${over}`);
  });
});

describe('a meeting needs the right to the participant', () => {
  it('which a stale fence, another agent and a revoked participant do not have', async () => {
    const frame = { type: 'meeting' as const, left: ['pair'], over: null, at: null };
    lab.send({ ...frame, participantId: server.participantId, fence: server.fence - 1 });
    expect(await lab.next('drop')).toMatchObject({ code: 'unknown' });
    other.send({ ...frame, participantId: server.participantId, fence: server.fence });
    expect(await other.next('drop')).toMatchObject({ code: 'unknown' });
    await farm.sql.run(`update participant set revoked_at = clock_timestamp(), state = 'ended' where id = $1`, [
      server.participantId,
    ]);
    lab.send({ ...frame, participantId: server.participantId, fence: server.fence });
    expect(await lab.next('drop')).toMatchObject({ code: 'revoked' });
    expect(await farm.sql.exists('select 1 from meeting where participant_id = $1', [server.participantId])).toBe(
      false,
    );
  });
});
