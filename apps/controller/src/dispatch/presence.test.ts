import { LEASE_SECONDS } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { integer } from '../platform/database/row-shape.js';
import { TestSql } from '../testing/test-sql.js';
import { Readiness } from '../platform/health/readiness.js';
import { createTestDatabase, type TestDatabase } from '../testing/database.js';
import { TestFarm } from '../testing/farm.js';
import { ControllerPresence } from './presence.js';

describe('which controllers are alive', () => {
  let database: TestDatabase;
  let sql: TestSql;
  beforeAll(async () => {
    database = await createTestDatabase();
    sql = new TestSql(database.address);
  });
  afterAll(async () => {
    await sql.close();
    await database.drop();
  });
  beforeEach(() => sql.run('delete from controller'));
  const age = (seconds: number) =>
    sql.run('update controller set seen_at = seen_at - make_interval(secs => $1)', [seconds]);

  it('the first one learns that there was none, whoever comes then that there is one', async () => {
    const [first, second] = [new ControllerPresence(sql), new ControllerPresence(sql)];
    expect(await first.show()).toBe(true);
    expect(await first.show()).toBe(false);
    expect(await second.show()).toBe(false);
  });

  it('of several that start together exactly one learns that there was none', async () => {
    const all = Array.from({ length: 6 }, () => new ControllerPresence(sql));
    const answers = await Promise.all(all.map((presence) => presence.show()));
    expect(answers.filter((alone) => alone)).toHaveLength(1);
  });

  it('one that was killed counts as alive for a few seconds, one that left does not', async () => {
    const [killed, next, last] = [
      new ControllerPresence(sql),
      new ControllerPresence(sql),
      new ControllerPresence(sql),
    ];
    await killed.show();
    await age(3);
    expect(await next.show()).toBe(false);
    await age(10);
    expect(await last.show()).toBe(true);
    await last.leave();
    expect(await next.show()).toBe(true);
  });

  it('one that was held up itself learns that nobody was there meanwhile', async () => {
    const presence = new ControllerPresence(sql);
    await presence.show();
    await age(60);
    expect(await presence.show()).toBe(true);
  });

  it('forgets those that have been gone for long', async () => {
    await new ControllerPresence(sql).show();
    await age(2 * 86_400);
    await new ControllerPresence(sql).show();
    expect(await sql.rows('select id from controller')).toHaveLength(1);
  });
});

describe('leases while controllers come and go', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start();
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    const { manifest } = await farm.bundle('presence');
    await farm.call('submitRun', { body: { yaml: `name: p\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
    await agent.take('test');
  });
  afterAll(() => farm.stop());

  const left = async (sql: TestSql): Promise<number> => {
    const row = await sql.one<{ s: number }>(
      `select extract(epoch from expires_at - clock_timestamp())::float8 as s from lease where released_at is null`,
    );
    return row?.s ?? Number.NaN;
  };

  it('are not prolonged by a controller that starts while another one is alive', async () => {
    const { sql } = farm;
    await sql.run(`update lease set expires_at = clock_timestamp() + interval '7 s' where released_at is null`);
    const second = await farm.replica();
    expect(await left(sql)).toBeLessThan(7.1);
    await second.close();
    expect(await left(sql)).toBeLessThan(7.1);
  });

  it('begin anew when there was no controller', async () => {
    await farm.server.close();
    const sql = new TestSql(farm.database.address);
    await sql.run(`update lease set expires_at = clock_timestamp() + interval '1 s' where released_at is null`);
    await farm.restart();
    await farm.until(
      'a full lease',
      () => left(sql),
      (seconds) => seconds > LEASE_SECONDS - 5,
    );
    await sql.close();
  });

  it('and the fences go on above those that a restored database has forgotten', async () => {
    const next = async (sql: TestSql) => (await sql.one<{ n: number }>(`select nextval('lease_fence') as n`))?.n ?? 0;
    const drawn = await next(farm.sql);
    await farm.server.close();
    const sql = new TestSql(farm.database.address);
    // As a backup from before any lease would have it.
    await sql.run(`select setval('lease_fence', 3)`);
    await farm.restart();
    await farm.until(
      'a fence above those drawn',
      () => next(sql),
      (fence) => fence > drawn,
    );
    await sql.close();
  });

  /** Starts a controller that cannot use a table, and gives the table back when its first attempt has failed. */
  async function startWithout(table: 'controller' | 'lease'): Promise<void> {
    await farm.server.close();
    const sql = new TestSql(farm.database.address);
    await sql.run('delete from controller');
    await sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await sql.run(`alter table ${table} rename to away`);
    await farm.restart();
    const readiness = farm.server.app.get(Readiness);
    await farm.until('the failure of the reaper', async () =>
      (await readiness.problems()).some(({ path, message }) => path === 'reaper' && message.startsWith('failed')),
    );
    await sql.run(`alter table away rename to ${table}`);
    await sql.close();
  }

  it.each(['controller', 'lease'] as const)(
    'begin anew with a later tick when the first could not use the table %s',
    async (table) => {
      const open = () =>
        farm.sql.one({ count: integer }, `select count(*) as count from attempt where state <> 'ended'`);
      expect(await open()).toEqual({ count: 1 });
      await startWithout(table);
      await farm.until('full leases', async () => (await left(farm.sql)) > LEASE_SECONDS - 5);
      expect(await open()).toEqual({ count: 1 });
    },
  );

  it('do not keep the next job waiting when the first look for other controllers failed', async () => {
    await startWithout('controller');
    const agent = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'second' });
    const { manifest } = await farm.bundle('later');
    const yaml = `name: l\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m2]}\n`;
    await farm.call('submitRun', { body: { yaml } });
    await agent.take('test');
  });
});
