import { AGENT_LOST_SECONDS } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestSql } from '../testing/test-sql.js';
import { bool } from '../platform/database/row-shape.js';
import { createTestDatabase, type TestDatabase } from '../testing/database.js';

let database: TestDatabase;
let sql: TestSql;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new TestSql(database.address, 1);
});
afterAll(async () => {
  await sql.close();
  await database.drop();
});

const isOnline = async (connected: boolean, silentSeconds: number) => {
  const row = await sql.one(
    { online: bool },
    `select agent_online(a) as online from (select (jsonb_populate_record(null::agent, jsonb_build_object(
       'connected', $1::boolean, 'last_seen_at', clock_timestamp() - make_interval(secs => $2)))).*) a`,
    [connected, silentSeconds],
  );
  return row?.online;
};

it('an agent is online while it is connected and was heard of within AGENT_LOST_SECONDS', async () => {
  expect(await isOnline(true, AGENT_LOST_SECONDS - 2)).toBe(true);
  expect(await isOnline(true, AGENT_LOST_SECONDS + 2)).toBe(false);
  expect(await isOnline(false, 0)).toBe(false);
});

it('the rule is part of the statement that asks for it, and costs no call for each row', async () => {
  const plan = await sql.rows<{ 'QUERY PLAN': string }>(
    'explain (costs off) select 1 from agent a where agent_online(a)',
  );
  const text = plan.map((line) => line['QUERY PLAN']).join('\n');
  expect(text).toContain('last_seen_at >');
  expect(text).not.toContain('agent_online');
});
