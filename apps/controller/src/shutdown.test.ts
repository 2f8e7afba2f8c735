import { afterEach, beforeEach, expect, it } from 'vitest';
import { endsWithin } from './platform/deadline.js';
import { Sql } from './platform/database/sql.js';
import { RetentionService } from './retention/retention.service.js';
import { TestFarm } from './testing/farm.js';

/** Far below the time that systemd waits before it kills a controller. */
const SECONDS = 12;

let farm: TestFarm;
let sql: Sql;
beforeEach(async () => {
  farm = await TestFarm.start();
  sql = new Sql(farm.database.address, 2);
});
afterEach(async () => {
  await sql.close();
  await farm.stop();
});

it('ends within seconds while a retention pass waits for a lock', async () => {
  const pass = () => farm.server.app.get(RetentionService).run();
  // The one that every controller begins with is over.
  await farm.until('the first pass of retention', async () => (await pass()) !== null);
  const holder = await sql.pool.connect();
  try {
    await holder.query('begin');
    await holder.query('select 1 from storage for update');
    const failed = pass().catch((error: unknown) => error);
    await farm.until('a statement that waits for the lock', () =>
      sql.exists(
        `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into storage%'`,
      ),
    );
    expect(await endsWithin(SECONDS * 1000, farm.server.close())).toBe(true);
    expect(await failed).toBeInstanceOf(Error);
  } finally {
    holder.release(true);
  }
  // The lock of retention went with the connection that held it.
  await farm.restart();
  await farm.until('a retention pass', async () => (await pass()) !== null);
});

it('stores what was received before its sockets close, and loses nothing that it acknowledged', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const { manifest } = await farm.bundle('last-words');
  await farm.call('submitRun', { body: { yaml: `name: s\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
  const { participantId, fence } = await agent.take('test');
  const FRAMES = 20;
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const lines = Array.from({ length: 50 }, (_, line) => ({
      seq: frame * 50 + line,
      at: Date.now(),
      text: `line ${frame * 50 + line}`,
    }));
    agent.send({ type: 'log', participantId, fence, stream: 'serial', lines });
  }
  await agent.next('ack');
  expect(await endsWithin(SECONDS * 1000, farm.server.close())).toBe(true);
  const acknowledged = Math.max(...agent.received.map((message) => (message.type === 'ack' ? message.next : 0)));
  const stored = await sql.exists(
    `select 1 from stream s where participant_id = $1 and stream = 'serial' and next >= $2 and next =
       (select count(*) from log_line l where l.participant_id = s.participant_id and l.stream = s.stream)`,
    [participantId, acknowledged],
  );
  expect(stored).toBe(true);
  expect(await sql.exists('select 1 from controller')).toBe(false);
  await farm.restart();
});
