import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { takePair, type PairAttempt } from '../testing/pair-attempt.js';

let farm: TestFarm;
let [lab, other]: FakeAgent[] = [];
let pair: PairAttempt;
beforeAll(async () => {
  farm = await TestFarm.start();
  const { key } = (await farm.bundle('gang')).manifest;
  lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  await farm.sql.run(`update machine set desired = 'drained'`);
  pair = await takePair(farm, key, lab, other);
});
afterAll(async () => {
  lab?.vanish();
  other?.vanish();
  await farm.stop();
});

it('the offset of each agent’s clock is kept with its participant, as it was last measured', async () => {
  const { server, client } = pair;
  const held = (who: typeof server) => {
    const { participantId, fence } = who;
    return { participantId, fence, machine: null, stage: 'test' as const, nextSeq: {} };
  };
  const clocks = async () =>
    (await farm.call('getAttempt', { params: { attempt: pair.attempt } })).participants.map(({ clock }) => clock);
  const beat = { type: 'heartbeat' as const, machines: [], beat: 7 };
  lab?.send({ ...beat, participants: [held(server)] });
  const before = Date.now();
  const answer = await lab?.next('renewed', (message) => message.beat === 7);
  // Both are of this computer.
  expect(Math.abs((answer?.at ?? 0) - before)).toBeLessThan(60_000);
  expect(await clocks()).toEqual([null, null]);
  lab?.send({ ...beat, participants: [held(server), held(client)], clock: { offsetMs: -5000.5, errorMs: 1.25 } });
  await lab?.next('renewed');
  other?.send({ ...beat, participants: [held(client)], clock: { offsetMs: 3, errorMs: 4 } });
  await other?.next('renewed');
  // What an agent names that is not its own has the clock of its owner.
  expect(await clocks()).toEqual([
    { offsetMs: -5000.5, errorMs: 1.25 },
    { offsetMs: 3, errorMs: 4 },
  ]);
});
