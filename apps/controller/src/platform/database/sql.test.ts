import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../testing/database.js';
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

it('outlives a connection that is killed between two statements of a transaction', async () => {
  const work = sql.transaction(async (tx) => {
    const own = await tx.one<{ pid: number }>('select pg_backend_pid() as pid');
    await sql.run('select pg_terminate_backend($1)', [own?.pid]);
    // The news arrives while no statement waits for an answer.
    for (;;) {
      const gone = await sql.one('select 1 from pg_stat_activity where pid = $1', [own?.pid]);
      await turn();
      if (gone === null) break;
    }
    await tx.run('select 1');
  });
  await expect(work).rejects.toThrow(/connection|terminat/i);
  // The broken connection does not go back into the pool.
  expect(await sql.one<{ one: number }>('select 1 as one')).toEqual({ one: 1 });
});
