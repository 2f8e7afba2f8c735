import { afterEach, beforeEach, it } from 'vitest';
import { lockSession } from '../platform/database/locks.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let agent: FakeAgent;
beforeEach(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR' });
});
afterEach(() => farm.stop());

/** Holds the lock of retention passes and backups until the connection is given back. */
async function holdRetention(): Promise<() => void> {
  const client = await farm.sql.pool.connect();
  await lockSession(client, 'retention');
  return () => client.release(true);
}

async function submit(name: string): Promise<void> {
  const { manifest } = await farm.bundle(name);
  await farm.call('submitRun', { body: { yaml: `name: ${name}\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
}

const seenAgain = async (): Promise<void> => {
  const { sql } = farm;
  await sql.run(`update controller set seen_at = seen_at - interval '5 s'`);
  await farm.until('a sign of life', () =>
    sql.exists(`select 1 from controller where seen_at > clock_timestamp() - interval '3 s'`),
  );
};

it('during a backup or a retention pass a controller shows itself, dispatches and reaps', async () => {
  const release = await holdRetention();
  await seenAgain();
  await submit('during');
  const taken = await agent.take('test');
  await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
  await farm.until('the reaped attempt', () =>
    farm.sql.exists(`select 1 from participant where id = $1 and revoked_at is not null`, [taken.participantId]),
  );
  release();
});

it('during a backup or a retention pass a controller starts, dispatches and shuts down', async () => {
  const release = await holdRetention();
  await farm.sql.run('delete from controller');
  const replica = await farm.replica();
  await farm.until('a controller that started', () =>
    farm.sql.exists('select 1 from controller where started_at is not null'),
  );
  await replica.close();
  release();
});
