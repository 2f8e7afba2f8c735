import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PairFarm } from './pair-farm.js';
import { commandAt, ended, expectSettled, failuresOf, loseLease, meetInEachTest, verdictOf } from './pair-steps.js';

/** Each test leaves both machines as they were. */
let pair: PairFarm;
beforeAll(async () => {
  pair = await PairFarm.start({ tests: ['T0', 'T1'] });
});
afterAll(() => pair.stop());
beforeEach(() => pair.reset());

/** Commands that a machine is given, by the stage that they belong to. */
const STAGES = [
  ['prepare', 'boot-policy'],
  ['flash', 'unpack-modules'],
  ['boot', 'reboot'],
  ['verify', 'hardware'],
  ['meeting', 'peer-facts'],
  ['test', 'suite'],
  ['restore', 'clean'],
] as const;

describe('the agent of one side dies', () => {
  it.each(STAGES)(
    'in %s: both machines are restored, the side is named, and the repeated job passes',
    async (_, purpose) => {
      meetInEachTest(pair);
      const died = commandAt(pair.server.lab.fake, purpose).then(() => pair.server.agent.die());
      const run = await pair.submit();
      await died;
      const attempt = await pair.attemptOf(run, 'the first attempt', () => true);
      await loseLease(pair, attempt, 'server');
      const after = await pair.attemptOf(
        run,
        'the end of the first attempt',
        (each) => each.number === 1 && ended(each),
      );
      expect(after.failure).toMatchObject({ class: 'infrastructure', role: 'server' });
      expect(after.participants.find(({ role }) => role === 'client')?.state).toBe('ended');
      pair.server.agent.start();
      await pair.farm.until('the agent to be back', async () => {
        await pair.farm.hurry();
        return (await pair.farm.call('getRun', { params: { run } })).state === 'ended';
      });
      expect(await verdictOf(pair, run)).toBe('pass');
      await expectSettled(pair);
    },
  );
});

describe('a pair that is canceled', () => {
  it.each(STAGES.slice(0, -1))('in %s ends on both sides, with both machines restored', async (_, purpose) => {
    meetInEachTest(pair);
    const reached = commandAt(pair.client.lab.fake, purpose);
    const run = await pair.submit();
    await reached;
    await pair.farm.call('cancelRun', { params: { run } });
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(Object.values(failuresOf(attempt)).filter((each) => each !== 'canceled' && each !== 'peer')).toEqual([]);
    expect(attempt.failure?.class).toBe('canceled');
    await expectSettled(pair);
  });
});
