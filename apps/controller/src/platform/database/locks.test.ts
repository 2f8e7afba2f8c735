import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../testing/database.js';
import { LockOrderCheck, locksOf } from './lock-order.js';
import { ADVISORY_LOCKS, lockForTransaction } from './locks.js';
import { Sql } from './sql.js';

const SOURCES = fileURLToPath(new URL('../..', import.meta.url));

describe('advisory locks', () => {
  it('are taken through locks.ts alone, in production code and tests', () => {
    const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const callers = files.filter(
      (file) => readFileSync(join(SOURCES, file), 'utf8').match(/pg_(?:try_)?advisory_/) !== null,
    );
    const allowed = ['locks.ts', 'lock-order.ts', 'locks.test.ts'].map((name) => `platform/database/${name}`);
    expect(callers.toSorted()).toEqual(allowed.toSorted());
  });

  it('have a number each', () => {
    const numbers = Object.values(ADVISORY_LOCKS);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe('the locks of a statement', () => {
  const names = (text: string) => locksOf(text).map(({ name, mode }) => `${mode} ${name}`);

  it('are the rows that it writes, and those that it selects for an update', () => {
    expect(names('update attempt set state = $1 where id = $2')).toEqual(['wait attempt']);
    expect(names('delete from job where run_id = $1')).toEqual(['wait job']);
    expect(names('select 1 from run where id = $1')).toEqual([]);
    expect(names('select 1 from run where id = $1 for no key update')).toEqual(['wait run']);
    expect(names('select 1 from artifact where sha256 = $1 for share')).toEqual(['wait artifact']);
  });

  it('are of the tables named after "of", and none that it would have to wait for with "skip locked"', () => {
    const from = 'select 1 from job j join run r on r.id = j.run_id join machine as m on m.name = j.machine';
    expect(names(`${from} for update of j, m skip locked`)).toEqual(['skip job', 'skip machine']);
    expect(names(`${from} for update of r`)).toEqual(['wait run']);
  });

  it('leave out inner queries that lock nothing, and count those that do first', () => {
    expect(names('select exists (select 1 from job j where j.id = 1) from run where id = $1 for update')).toEqual([
      'wait run',
    ]);
    expect(names('with m as (select 1 from machine for update) update agent set site = $1')).toEqual([
      'wait machine',
      'wait agent',
    ]);
  });

  it('are new rows for an insert, unless it may update one that is there', () => {
    expect(names("insert into agent (name) values ('update run')")).toEqual(['new agent']);
    expect(names('insert into agent (name) values ($1) on conflict (name) do update set name = $1')).toEqual([
      'wait agent',
    ]);
  });
});

describe('the order of the locks of a transaction', () => {
  const check = (...statements: [string, ...unknown[]][]): string | null => {
    const order = new LockOrderCheck();
    for (const [text, ...values] of statements) {
      const problem = order.problemOf(text, values);
      if (problem !== null) return problem;
    }
    return null;
  };

  it('is that of the list, and a table that is locked already may be written again', () => {
    expect(check(['update attempt set a = 1'], ['update job set a = 1'], ['update attempt set a = 2'])).toBeNull();
    expect(check(['update job set a = 1'], ['select 1 from attempt for update'])).toMatch(/locks attempt after job/);
  });

  it('is not asked of rows that nothing has to wait for, but of what follows them', () => {
    expect(check(['select 1 from job j for update of j skip locked'], ['insert into attempt values (1)'])).toBeNull();
    expect(check(['update machine set a = 1'], ['select 1 from job for update skip locked'])).toBeNull();
    expect(check(['select 1 from run for update skip locked'], ['update build set a = 1'])).toMatch(/build after run/);
  });

  it('asks for the row that others belong to', () => {
    expect(check(['update lease set a = 1'])).toMatch(/lease without its row of attempt/);
    expect(check(['update run set a = 1'], ['delete from lease'])).toMatch(/lease without/);
    expect(check(['update attempt set a = 1'], ['update run set a = 1'], ['delete from lease'])).toBeNull();
  });

  it('has a place for every table and advisory lock', () => {
    expect(check(['update token set a = 1'])).toMatch(/token, which has no place in LOCK_ORDER/);
    expect(check(['update run set a = 1'], ['select pg_advisory_xact_lock($1)', ADVISORY_LOCKS.delivery])).toMatch(
      /advisory:delivery after run/,
    );
  });
});

describe('a transaction in a test', () => {
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

  it('fails with the statement that takes its locks in another order', async () => {
    const work = sql.transaction(async (tx) => {
      await tx.run('select 1 from run for update');
      await lockForTransaction(tx, 'presence');
    });
    await expect(work).rejects.toThrow(/locks advisory:presence after run.*pg_advisory_xact_lock/);
  });
});
