import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../data-source.js';
import { createTestDatabase, type TestDatabase } from '../../testing/database.js';
import { integer } from './row-shape.js';
import { Sql } from './sql.js';

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
