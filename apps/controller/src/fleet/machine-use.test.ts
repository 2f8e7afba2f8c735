import { leasedShare } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

describe('the use of a machine', () => {
  it('is the share of each day in which it was leased, and its queue in the order in which it is taken', async () => {
    const { manifest } = await farm.bundle('use');
    const agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
    const use = async (machine: string) =>
      (await farm.call('listMachineUse', {})).find((each) => each.machine === machine);
    const queue = () => farm.call('listMachineQueue', { params: { machine: 'm1' } });
    expect(await use('m1')).toEqual({ machine: 'm1', queued: 0, days: [0, 0, 0, 0, 0, 0, 0] });
    expect(await queue()).toEqual([]);

    const submit = (name: string, priority: number) =>
      farm.call('submitRun', {
        body: {
          yaml: `name: ${name}\npriority: ${priority}\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m1]}\n`,
        },
      });
    await submit('running', 50);
    const { participantId } = await agent.take('test');
    await submit('later', 10);
    await submit('urgent', 90);
    expect((await queue()).map(({ run, build, priority }) => [run.name, build, priority])).toEqual([
      ['urgent', 'b', 90],
      ['later', 'b', 10],
    ]);
    expect((await farm.request('listMachineQueue', { params: { machine: 'no-such' } })).status).toBe(404);

    // From 36 hours ago until 12 hours ago: half of the last day and half of the one before.
    await farm.sql.run(
      `update lease set acquired_at = clock_timestamp() - interval '36 h',
         released_at = clock_timestamp() - interval '12 h' where participant_id = $1`,
      [participantId],
    );
    const now = await use('m1');
    expect(now?.queued).toBe(2);
    expect(now?.days.map((share) => Math.round(share * 100))).toEqual([0, 0, 0, 0, 0, 50, 50]);
    expect(now && leasedShare(now)).toBeCloseTo(1 / 7, 3);
    // Still leased, since before the first day: all of it, and never more than all.
    await farm.sql.run(
      `update lease set acquired_at = clock_timestamp() - interval '30 d', released_at = null where participant_id = $1`,
      [participantId],
    );
    expect((await use('m1'))?.days.map((share) => Math.round(share * 100))).toEqual(Array(7).fill(100));
    expect((await use('m2'))?.days).toEqual(Array(7).fill(0));
    agent.vanish();
  });
});
