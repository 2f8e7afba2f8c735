import { RetentionPolicy } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RunningServer } from '../server.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { RetentionService } from './retention.service.js';

const RUNS = 9;

let farm: TestFarm;
let replica: RunningServer;
let agent: FakeAgent;
let alive: NodeJS.Timeout;
let isHolding: boolean;
beforeEach(async () => {
  const policy = { user: { logDays: 1, resultDays: 2 }, artifactDays: 1, freeBytes: 1 };
  farm = await TestFarm.start({ retention: RetentionPolicy.parse(policy) });
  replica = await farm.replica();
  agent = await farm.agent({ m1: 'BUS_ADDR' });
  isHolding = false;
  // Without heartbeats the agent counts as offline; one without the attempt would give the attempt back.
  alive = setInterval(() => isHolding || agent.heartbeat(), 2000);
});
afterEach(async () => {
  clearInterval(alive);
  await replica.close();
  await farm.stop();
});

/** Submits a run and works on it; `loses` = its first attempt is reaped. */
async function work(name: string, bundle: string, loses: boolean): Promise<string> {
  const yaml = `name: ${name}\nbuilds: [{name: b, bundle: ${bundle}}]\nsuites: [p2p-perf]\n`;
  const { id } = await farm.call('submitRun', { body: { yaml } });
  if (loses) {
    const { participantId, fence } = await take();
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1`, [
      participantId,
    ]);
    await farm.until('the attempt to be reaped', () =>
      farm.sql.exists('select 1 from participant where id = $1 and revoked_at is not null', [participantId]),
    );
    const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;
    await agent.events({ participantId, fence }, 0, finished);
    isHolding = false;
    await farm.hurry();
  }
  const attempt = await take();
  await agent.log(attempt, 'serial', 0, ['booting', 'login:']);
  await agent.events(
    attempt,
    0,
    { type: 'result', result: sampleResult('p2p-perf', 'P01') },
    { type: 'finished', failure: null, restored: true, lineCounts: { serial: 2 } },
  );
  isHolding = false;
  return id;
}

async function take(): ReturnType<FakeAgent['take']> {
  const assignment = await agent.take('test');
  isHolding = true;
  return assignment;
}

it('retention on two controllers removes ended runs while others are dispatched, reaped and finished', async () => {
  const { manifest, sha256 } = await farm.bundle('shared');
  const pinned = await work('pinned', manifest.key, false);
  await farm.call('pinRun', { params: { run: pinned }, body: { pinned: true } });
  const age = (run: string): Promise<number> =>
    farm.sql.run(`update run set ended_at = clock_timestamp() - interval '3 days' where id = $1`, [run]);
  await age(pinned);

  const worked = new AbortController();
  const passes = [farm.server, replica].map(async ({ app }) => {
    while (!worked.signal.aborted) await app.get(RetentionService).run();
  });
  const runs: string[] = [];
  for (let number = 0; number < RUNS; number += 1) {
    const run = await work(`run-${number}`, manifest.key, number % 3 === 0);
    await age(run);
    runs.push(run);
  }
  // What every new run needs was used by ended runs only, again and again, and stayed.
  await farm.until(
    'the removal of all runs but the pinned one',
    async () => !(await farm.sql.exists('select 1 from run where id <> $1', [pinned])),
  );
  worked.abort();
  await Promise.all(passes);

  // Each once, by one of the two; the pinned run kept everything.
  const deletions = await farm.sql.rows<{ subject: string }>(
    `select subject from retention_deletion where kind = 'run'`,
  );
  expect(deletions.map(({ subject }) => subject).toSorted()).toEqual(runs.toSorted());
  expect(await farm.sql.rows('select id from run')).toEqual([{ id: pinned }]);
  expect(await farm.sql.one('select count(*) as n from attempt')).toEqual({ n: 1 });
  expect(await farm.sql.one('select count(*) as n from log_line')).toEqual({ n: 2 });
  expect((await farm.request('getArtifact', { params: { sha256 } })).status).toBe(200);
});
