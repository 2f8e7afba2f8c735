import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import type { BenchFarm, Held } from './farm.js';
import { insertRun, queueJobs, settleTables } from './fixtures.js';
import { compare, compareTimes, timeMs, type Comparison } from './measure.js';
import { claimBare, createFloor } from './skip-locked.js';

const FLOOR = 'bare loop: select … for update skip locked + insert, one transaction for each job';
/** Agents that are rows only must not be taken for lost. */
const SIGN_OF_LIFE_MS = 3000;
const LOOK_MS = 2;

/** `agents` with one machine each, `rounds` queued jobs for each machine, `single` dispatches behind all of them. */
export interface ClaimsSize {
  agents: number;
  rounds: number;
  single: number;
}

/**
 * Claims of a long queue: how fast a farm that is all free gets its first job on each machine; and, with all of them busy and
 * the rest of the queue waiting, how long a job takes that only a free machine may take, from its commit to its agent.
 */
export async function measureClaims(farm: BenchFarm, { agents, rounds, single }: ClaimsSize): Promise<Comparison[]> {
  const client = await farm.connect();
  const machines = Array.from({ length: agents }, (_, index) => `claim-${index}`);
  await insertAgents(client, machines);
  const alive = setInterval(() => void signOfLife(client).catch(() => undefined), SIGN_OF_LIFE_MS);
  try {
    const jobIds: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      jobIds.push(...(await insertRun(client, `claims ${round}`, machines, 'blocked')).jobIds);
    }
    const held: Held[] = [];
    const agent = await farm.agent('solo', ['solo'], held);
    const behind = await insertRun(client, 'behind', ['solo'], 'blocked');
    await createFloor(client);
    await settleTables(client, 'job', 'machine', 'agent', 'machine_path', 'floor_job');

    await signOfLife(client);
    const start = performance.now();
    await queueJobs(client, jobIds);
    while ((await leasedMachines(client)) < agents) await pause(LOOK_MS);
    const claimMs = performance.now() - start;
    await client.query(`update floor_job set state = 'queued' where id = any($1)`, [jobIds]);
    const floorMs = await timeMs(async () => {
      for (let count = 0; count < agents; count += 1) await claimBare(client);
    });

    const [singleMs, singleFloorMs]: [number[], number[]] = [[], []];
    for (let count = 0; count < single; count += 1) {
      await signOfLife(client);
      const queued = performance.now();
      await queueJobs(client, behind.jobIds);
      const { participantId, fence } = await agent.take('test');
      singleMs.push(performance.now() - queued);
      held.push({ participantId, fence });
      await agent.events({ participantId, fence }, 0, {
        type: 'finished',
        failure: null,
        restored: true,
        lineCounts: {},
      });
      held.pop();
      singleFloorMs.push(await timeMs(() => claimBare(client)));
    }
    return [
      compare({
        what: `claims, ${agents} agents and ${jobIds.length} queued jobs`,
        unit: 'jobs/s',
        controller: (agents * 1000) / claimMs,
        floor: (agents * 1000) / floorMs,
        floorIs: FLOOR,
      }),
      ...compareTimes(
        `dispatch of one job behind ${jobIds.length - agents} that wait`,
        singleMs,
        singleFloorMs,
        FLOOR,
        [0.5, 0.99],
      ),
    ];
  } finally {
    clearInterval(alive);
    await clear(client);
  }
}

/** Agents that nobody runs, with one machine each. */
async function insertAgents(client: Client, machines: readonly string[]): Promise<void> {
  await client.query(
    `insert into agent (name, site, version, capabilities, build_slots, connected, last_seen_at, binds_pairs, protocol, catalogue)
     select 'of-' || m, 'bench', '0', '{test}', 0, true, clock_timestamp(), true, 5, '{}' from unnest($1::text[]) as n(m)`,
    [machines],
  );
  await client.query(
    `insert into machine (name, agent, description, labels, reachable)
     select m, 'of-' || m, '', '{}', true from unnest($1::text[]) as n(m)`,
    [machines],
  );
}

const signOfLife = (client: Client): Promise<unknown> =>
  client.query(`update agent set connected = true, last_seen_at = clock_timestamp() where name like 'of-claim-%'`);

async function leasedMachines(client: Client): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*) as n from lease where released_at is null and machine like 'claim-%'`,
  );
  return rows[0]?.n ?? 0;
}

/** Nothing of it waits or runs beside the measurements that follow. */
async function clear(client: Client): Promise<void> {
  await client.query(
    `update job set state = 'ended', verdict = 'canceled', ended_at = clock_timestamp()
     where state <> 'ended' and run_id in (select id from run where name like 'claims %' or name = 'behind')`,
  );
  await client.query(
    `update attempt set state = 'ended', ended_at = clock_timestamp()
     where id in (select attempt_id from participant where machine like 'claim-%')`,
  );
  await client.query(
    `update participant set state = 'ended', ended_at = clock_timestamp() where machine like 'claim-%'`,
  );
  await client.query(`update lease set released_at = clock_timestamp() where machine like 'claim-%'`);
  await client.query(`update machine set desired = 'drained' where name like 'claim-%'`);
  await client.query('drop table floor_job, floor_lease');
}
