import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { dataSourceOptions, migrate } from '../data-source.js';
import { TestSql } from '../testing/test-sql.js';
import { createTestDatabase } from '../testing/database.js';
import { insertEvidence } from '../testing/evidence.js';

it('what was measured before the time was recorded gets that of its attempt’s end', async () => {
  const { address, drop } = await createTestDatabase();
  const sql = new TestSql(address);
  await insertEvidence(sql, 2);
  const hasTime = async (): Promise<boolean> =>
    (await sql.one(
      `select 1 from information_schema.columns where table_name = 'measurement' and column_name = 'stored_at'`,
    )) !== null;
  const dataSource = await new DataSource(dataSourceOptions(address)).initialize();
  // Later migrations are undone first.
  while (await hasTime()) await dataSource.undoLastMigration();
  await dataSource.destroy();
  expect(await migrate(address)).toContain('OverTime1763830800000');
  const measured = await sql.rows<{ stored_at: Date; ended_at: Date }>(
    'select m.stored_at, t.ended_at from measurement m join attempt t on t.id = m.attempt_id',
  );
  expect(measured).toHaveLength(36);
  for (const { stored_at: at, ended_at: ended } of measured) expect(at).toEqual(ended);
  await sql.close();
  await drop();
});
