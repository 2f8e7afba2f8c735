import { performance } from 'node:perf_hooks';
import type { FakeAgent } from '@peerlab/controller/testing';
import type { BenchFarm, Held } from './farm.js';
import { insertRun, queueJobs, settleTables } from './fixtures.js';
import { compare, compareTimes, timeMs, type Comparison } from './measure.js';
import { claimBare, createFloor } from './skip-locked.js';

const FLOOR = 'bare transaction: select … for update skip locked + insert';

/** Jobs that are queued one by one, and jobs that are queued at once. */
export interface DispatchSize {
  single: number;
  burst: number;
}

/** What dispatching left behind: an attempt that runs, for the measurements that need one. */
export interface Dispatched {
  agent: FakeAgent;
  running: Held;
  comparisons: Comparison[];
}

/** From a job in the queue (its transaction has committed) to the assignment's frame at the agent. */
export async function measureDispatch(farm: BenchFarm, size: DispatchSize): Promise<Dispatched> {
  const client = await farm.connect();
  const count = size.single + size.burst;
  const machines = Array.from({ length: count }, (_, index) => `m${index}`);
  const held: Held[] = [];
  const agent = await farm.agent('dispatch', machines, held);
  const { jobIds } = await insertRun(client, 'dispatch', machines, 'blocked');
  await createFloor(client);
  await settleTables(client, 'job', 'machine', 'floor_job');

  const take = async (): Promise<void> => {
    const { participantId, fence } = await agent.take('test');
    held.push({ participantId, fence });
  };
  const [singleMs, floorMs]: [number[], number[]] = [[], []];
  for (const id of jobIds.slice(0, size.single)) {
    await queueJobs(client, [id]);
    const start = performance.now();
    await take();
    singleMs.push(performance.now() - start);
    await client.query(`update floor_job set state = 'queued' where id = $1`, [id]);
    floorMs.push(await timeMs(() => claimBare(client)));
  }

  const burst = jobIds.slice(size.single);
  await queueJobs(client, burst);
  const burstMs = await timeMs(async () => {
    for (const _ of burst) await take();
  });
  await client.query(`update floor_job set state = 'queued' where id = any($1)`, [burst]);
  const burstFloorMs = await timeMs(async () => {
    for (const _ of burst) await claimBare(client);
  });
  await client.query('drop table floor_job, floor_lease');
  const running = held[0];
  if (running === undefined) throw new Error('nothing was dispatched');
  return {
    agent,
    running,
    comparisons: [
      ...compareTimes('dispatch of one job', singleMs, floorMs, FLOOR, [0.5, 0.99]),
      compare({
        what: `dispatch of ${burst.length} jobs queued at once`,
        unit: 'jobs/s',
        controller: (burst.length * 1000) / burstMs,
        floor: (burst.length * 1000) / burstFloorMs,
        floorIs: FLOOR,
      }),
    ],
  };
}
