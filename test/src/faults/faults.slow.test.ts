import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultFarm } from './fault-farm.js';
import { runSchedule } from './run-schedule.js';
import { makeSchedule } from './schedule.js';

/** Of the long run; a failure names its seed, and `npm run faults -- --seed N --show` replays it alone. */
const SCHEDULES = 30;

describe('the farm keeps its promises whatever happens to its processes', () => {
  let farm: FaultFarm;
  beforeAll(async () => {
    farm = await FaultFarm.start(null);
  }, 600_000);
  afterAll(() => farm?.stop(), 60_000);

  it.each(Array.from({ length: SCHEDULES }, (_, index) => index + 1))(
    'seed %i',
    async (seed) => {
      const { findings } = await runSchedule(farm, makeSchedule(seed));
      expect(findings).toEqual([]);
    },
    900_000,
  );
});
