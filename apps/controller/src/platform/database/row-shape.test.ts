import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Participant } from '../../schema/attempts.js';
import { LogLineRow } from '../../schema/logs.js';
import { createTestDatabase, type TestDatabase } from '../../testing/database.js';
import { columnsOf, integer, nullable, pick, text, time, uuid } from './row-shape.js';
import { Sql } from './sql.js';

describe('a statement whose answer is not as its shape says', () => {
  let database: TestDatabase;
  let sql: Sql;
  beforeAll(async () => {
    database = await createTestDatabase();
    sql = new Sql(database.address, 1);
  });
  afterAll(async () => {
    await sql.close();
    await database.drop();
  });

  it('fails for a column that is missing, one too many, and one of another type', async () => {
    const shape = { id: uuid, n: integer };
    await expect(sql.rows(shape, 'select gen_random_uuid() as id')).rejects.toThrow('has no column "n"');
    await expect(sql.rows(shape, 'select gen_random_uuid() as id, 1 as n, 2 as m')).rejects.toThrow(
      'the column "m" is not in the row\'s shape',
    );
    await expect(sql.rows(shape, `select gen_random_uuid() as id, 'one' as n`)).rejects.toThrow(
      'the column "n" is text, the row\'s shape says int2 or int4 or int8',
    );
  });

  it('fails for a null that the shape does not allow, also inside a transaction', async () => {
    await expect(sql.one({ at: time }, 'select null::timestamptz as at')).rejects.toThrow('"at" is null in a row');
    expect(await sql.one({ at: nullable(time) }, 'select null::timestamptz as at')).toEqual({ at: null });
    await expect(sql.transaction((tx) => tx.rows({ name: text }, 'select null::text as name'))).rejects.toThrow(
      '"name" is null in a row',
    );
  });

  it('takes the columns of a table from its entity', async () => {
    const shape = pick(columnsOf(Participant), 'id', 'attempt_id', 'fence', 'revoked_at', 'failure');
    expect(await sql.rows(shape, 'select id, attempt_id, fence, revoked_at, failure from participant')).toEqual([]);
    await expect(
      sql.rows(shape, 'select id, attempt_id, fence, machine as revoked_at, failure from participant'),
    ).rejects.toThrow('"revoked_at" is text');
    const lines = columnsOf(LogLineRow);
    expect(await sql.rows(lines, 'select * from log_line')).toEqual([]);
  });

  it('reads int8 as a number', async () => {
    expect(await sql.one({ n: integer }, 'select 9007199254740991::bigint as n')).toEqual({ n: 9007199254740991 });
  });
});
