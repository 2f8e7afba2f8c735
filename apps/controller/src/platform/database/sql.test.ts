import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../data-source.js';
import { createTestDatabase, type TestDatabase } from '../../testing/database.js';
import { integer } from './row-shape.js';
import { prepared, Sql } from './sql.js';

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Sql(database.address, 2);
});
afterAll(async () => {
  await sql.close();
  await database.drop();
});

it('outlives every error of a connection, whoever has it at that moment', async () => {
  const dataSource = await new DataSource(dataSourceOptions(database.address)).initialize();
  const { master } = dataSource.driver as unknown as { master: Pool };
  for (const pool of [sql.pool, master]) {
    const client = await pool.connect();
    // A server that is killed is heard of by its last words, and again by the write after them.
    for (const words of ['terminating connection', 'write EPIPE']) client.emit('error', new Error(words));
    client.release(true);
  }
  await dataSource.destroy();
});

it('outlives a connection that is killed between two statements of a transaction', async () => {
  const work = sql.transaction(async (tx) => {
    const own = await tx.one({ pid: integer }, 'select pg_backend_pid() as pid');
    await sql.run('select pg_terminate_backend($1)', [own?.pid]);
    // The news arrives while no statement waits for an answer.
    for (;;) {
      const isThere = await sql.exists('select 1 from pg_stat_activity where pid = $1', [own?.pid]);
      await turn();
      if (!isThere) break;
    }
    await tx.run('select 1');
  });
  await expect(work).rejects.toThrow(/connection|terminat/i);
  // The broken connection does not go back into the pool.
  expect(await sql.one({ one: integer }, 'select 1 as one')).toEqual({ one: 1 });
});

it('reads all of one moment in a snapshot, and nothing can be written there', async () => {
  await sql.run('create table moment (n int)');
  const count = 'select count(*) as n from moment';
  const seen = await sql.snapshot(async (queries) => {
    const before = await queries.one({ n: integer }, count);
    await sql.run('insert into moment values (1)');
    return [before?.n, (await queries.one({ n: integer }, count))?.n];
  });
  expect(seen).toEqual([0, 0]);
  expect((await sql.one({ n: integer }, count))?.n).toBe(1);
  await expect(sql.snapshot((queries) => queries.run('insert into moment values (2)'))).rejects.toThrow(/read-only/);
});

it('a prepared statement is parsed once on a connection', async () => {
  const twice = prepared('select $1::int * 2 as n');
  const uses = await sql.transaction(async (tx) => {
    expect((await tx.one({ n: integer }, twice, [4]))?.n).toBe(8);
    expect((await tx.one({ n: integer }, prepared(twice.text), [5]))?.n).toBe(10);
    return tx.rows(
      { uses: integer },
      'select generic_plans + custom_plans as uses from pg_prepared_statements where name = $1',
      [twice.name],
    );
  });
  expect(uses).toEqual([{ uses: 2 }]);
});
