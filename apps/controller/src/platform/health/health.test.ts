import { Problem } from '@peerlab/contracts';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../../testing/farm.js';
import { pgOptions } from '../database/connection.js';

let farm: TestFarm;
let admin: Client;
beforeAll(async () => {
  farm = await TestFarm.start();
  admin = new Client(pgOptions({ ...farm.database.address, database: 'postgres' }));
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await farm.stop();
});

const ready = () => farm.request('ready', {}, null);

/** Ends all connections to the farm's database and allows no new ones, or allows them again. */
async function setReachable(isReachable: boolean): Promise<void> {
  const { address } = farm.database;
  if (!('database' in address)) throw new Error('the test database has no name');
  await admin.query(`alter database ${address.database} with allow_connections ${isReachable}`);
  if (!isReachable)
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [address.database]);
}

it('a controller without Postgres lives and is not ready, and says which parts are not', async () => {
  await farm.until('readiness', async () => (await ready()).status === 200);
  await setReachable(false);
  try {
    await farm.until('503', async () => (await ready()).status === 503);
    let names: string[] = [];
    await farm.until('the failed parts', async () => {
      names = Problem.parse(await (await ready()).json()).errors.map(({ path }) => path);
      return names.includes('postgres') && names.includes('bus') && names.includes('reaper');
    });
    const live = await farm.request('live', {}, null);
    expect(live.status).toBe(200);
    expect(await live.json()).toMatchObject({ status: 'live' });
    expect((await farm.request('health', {}, null)).status).toBeGreaterThanOrEqual(500);
  } finally {
    await setReachable(true);
  }
  await farm.until('readiness', async () => (await ready()).status === 200);
  expect(await farm.call('health', {})).toMatchObject({ status: 'ok', database: 'ok' });
});
