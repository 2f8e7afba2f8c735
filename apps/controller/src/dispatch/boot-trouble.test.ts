import type { Assignment, AttemptEvent, BootTrouble } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import type { TestFarm } from '../testing/farm.js';
import { OneMachine } from '../testing/one-machine.js';

let one: OneMachine;
let farm: TestFarm;
let agent: FakeAgent;
beforeEach(async () => {
  one = await OneMachine.start();
  ({ farm, agent } = one);
});
afterEach(() => one.stop());

type Finished = Extract<AttemptEvent, { type: 'finished' }>;
const MESSAGE = 'm1 came back with its default kernel; the selection still stands';

/** How the next boot of the machine ends; null = the candidate came up. */
async function boot(ending: BootTrouble | null, more: Partial<Finished> = {}): Promise<Assignment> {
  await farm.hurry();
  const attempt = await agent.take('test');
  const status = ending === null ? 'passed' : 'failed';
  await agent.events(
    attempt,
    0,
    { type: 'stage', stage: 'boot', status: 'started', detail: null },
    { type: 'stage', stage: 'boot', status, detail: null },
    {
      type: 'finished',
      failure:
        ending === null
          ? null
          : { class: 'infrastructure', stage: 'boot', message: MESSAGE, signature: null, trouble: ending },
      restored: true,
      lineCounts: {},
      ...more,
    },
  );
  // On a busy computer a silent agent is soon taken for lost.
  agent.heartbeat();
  return attempt;
}
/** An attempt that is canceled while it is prepared. */
async function cancelBeforeBoot(): Promise<void> {
  const attempt = await agent.take('test');
  await agent.events(
    attempt,
    0,
    { type: 'stage', stage: 'prepare', status: 'failed', detail: null },
    { type: 'stage', stage: 'boot', status: 'skipped', detail: 'prepare failed' },
    {
      type: 'finished',
      failure: { class: 'canceled', stage: 'prepare', message: 'canceled', signature: null },
      restored: true,
      lineCounts: {},
    },
  );
}

describe('a machine whose boot loader does not take the selection', () => {
  it('is quarantined after two boots in a row, with reason and remedy; the job is not tried a third time', async () => {
    const { id } = await one.submit();
    await boot('not-taken');
    expect(await one.machine()).toMatchObject({ desired: 'active' });
    const { attemptId } = await boot('not-taken');
    const reason =
      `its boot loader did not take the selected entry in two boots in a row, the last in attempt ${attemptId}: ` +
      `${MESSAGE}; prove the boot loader with peerlab machine check --act, then activate it`;
    expect(await one.machine()).toMatchObject({ desired: 'quarantined', desiredBy: { name: null, reason } });
    expect(await farm.call('getRun', { params: { run: id } })).toMatchObject({ state: 'ended', verdict: 'infra' });
    expect((await farm.call('getAttempt', { params: { attempt: attemptId } })).failure).not.toHaveProperty('trouble');
  });

  it('counts anew after a boot that came up, and after trouble of another kind', async () => {
    await one.submit();
    await boot('not-taken');
    await boot(null);
    await one.submit();
    await boot('not-taken');
    await boot('fallback');
    await boot('not-taken');
    expect(await one.machine()).toMatchObject({ desired: 'active', desiredBy: null });
  });

  it('counts anew after a person activated it', async () => {
    await one.submit();
    await boot('not-taken');
    await one.activate();
    await boot('not-taken');
    expect(await one.machine()).toMatchObject({ desired: 'active' });
    await boot('not-taken');
    expect(await one.machine()).toMatchObject({ desired: 'quarantined' });
  });

  it('is not acquitted by an attempt that ended before its boot', async () => {
    await one.submit();
    await boot('fallback');
    await farm.sql.run(`update job set state = 'ended', verdict = 'infra', not_before = null`);
    await one.submit();
    await cancelBeforeBoot();
    await one.submit();
    const { attemptId } = await boot('fallback');
    expect((await one.machine()).desiredBy?.reason).toContain(
      `it came back only after a reset, and with its default kernel, in two boots in a row, the last in attempt ${attemptId}: `,
    );
  });

  it('keeps the first reason where it was not restored either', async () => {
    await one.submit();
    await boot('not-taken');
    const { attemptId } = await boot('not-taken', { restored: false });
    expect((await one.machine()).desiredBy?.reason).toBe(
      `attempt ${attemptId} could not restore it; mend it, then activate it`,
    );
    expect(
      (await one.changes()).map(({ desired, reason }) => [desired, reason?.includes('in two boots in a row')]),
    ).toEqual([
      ['quarantined', true],
      ['quarantined', false],
    ]);
  });

  it('is not judged by what an agent tells of an attempt that was taken from it', async () => {
    await one.submit();
    await boot('not-taken');
    await farm.hurry();
    const lost = await agent.take('test');
    await farm.sql.run(`update lease set expires_at = now() - interval '1 second' where released_at is null`);
    await farm.until(
      'the end of the lease',
      () => farm.call('getAttempt', { params: { attempt: lost.attemptId } }),
      ({ state }) => state === 'ended',
    );
    await agent.events(lost, 0, {
      type: 'finished',
      failure: { class: 'infrastructure', stage: 'boot', message: MESSAGE, signature: null, trouble: 'not-taken' },
      restored: true,
      lineCounts: {},
    });
    expect(await one.machine()).toMatchObject({ desired: 'active' });
  });
});
