import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultFarm } from './fault-farm.js';
import { runSchedule } from './run-schedule.js';
import { MACHINES, type Schedule, TESTS } from './schedule.js';

/** Every test hangs, so the agent has something to do on each machine every twelve seconds. */
const SCHEDULE: Schedule = {
  seed: 0,
  controllers: 1,
  agentDrift: 1,
  runs: 1,
  pairs: false,
  lastsMs: null,
  bootMs: 0,
  machines: Object.fromEntries(
    MACHINES.map((name) => [name, { boots: ['up'], tests: TESTS.map((id) => ({ id, act: 'hang' })) }]),
  ),
  // Longer than a lease.
  faults: [
    {
      when: { machine: 'fake-a', on: 'command', purpose: 'suite', delayMs: 0 },
      fault: { kind: 'black-hole', agent: 0, forMs: 54_000 },
    },
  ],
};

describe('an agent whose leases never run out by its own clock', () => {
  let farm: FaultFarm;
  beforeAll(async () => {
    farm = await FaultFarm.start(null, 'lease-never-runs-out');
  });
  afterAll(async () => farm?.stop());

  it('is found to work on machines that it has no lease on', async () => {
    const { findings } = await runSchedule(farm, SCHEDULE);
    const late = findings
      .filter(({ promise }) => promise.startsWith('an attempt that lost its lease'))
      .map(({ detail }) => detail);
    for (const what of ['power reset', 'grub-select', 'reboot', 'suite']) {
      expect(late).toContainEqual(expect.stringMatching(new RegExp(`: ${what} of fence \\d+ \\d+ virtual ms after`)));
    }
  });
});
