import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { dataSourceOptions, migrate } from '../data-source.js';
import { createTestDatabase } from '../testing/database.js';
import { insertEvidence } from '../testing/evidence.js';
import { TestSql } from '../testing/test-sql.js';

it('proofs and features of earlier releases say the same in the form of today, there and back', async () => {
  const { address, drop } = await createTestDatabase();
  const sql = new TestSql(address);
  await insertEvidence(sql, 1);
  const counts = { aliasCalls: 4, migratedBack: 0, bytesCompared: 16384, oracle: true };
  const peer = { test: 'a', expected: 'peer', aliasPages: 4, ramPages: 0, mapType: 'BUS_ADDR', ...counts };
  const ram = { ...peer, aliasPages: 0, ramPages: 4, mapType: 'NONE' };
  const dataSource = await new DataSource(dataSourceOptions(address)).initialize();
  const isDone = async (): Promise<boolean> =>
    (await sql.one(`select 1 from schema_migration where name = 'SeriesAsData1764800000000'`)) !== null;
  const undo = async (): Promise<void> => {
    while (await isDone()) await dataSource.undoLastMigration();
  };
  await undo();
  await sql.run(`update bundle set manifest = jsonb_set(manifest, '{features}', '{"dmaAlias": true}')`);
  const [first, second] = await sql.rows<{ attempt_id: string; test: string }>(
    'select attempt_id, test from result order by attempt_id, test limit 2',
  );
  const put = (row: typeof first, proof: object) =>
    sql.run('update result set proof = $3 where attempt_id = $1 and test = $2', [row?.attempt_id, row?.test, proof]);
  await put(first, peer);
  await put(second, ram);
  const stored = () =>
    sql.rows<{ proof: object }>('select proof from result where proof is not null order by attempt_id, test');
  expect((await migrate(address))[0]).toBe('SeriesAsData1764800000000');
  const detail = { 'alias pages': 4, 'RAM pages': 0, 'dma_alias calls': 4, 'pages migrated back': 0 };
  expect((await stored()).map(({ proof }) => proof)).toMatchObject([
    { expected: 'peer', taken: 'BUS_ADDR', detail: { ...detail, 'bytes compared': 16384, 'oracle reads': true } },
    { expected: 'peer', taken: 'ram', detail: { 'alias pages': 0, 'RAM pages': 4 } },
  ]);
  expect(await sql.rows(`select distinct manifest -> 'features' as f from bundle`)).toEqual([{ f: ['dma_alias'] }]);
  await undo();
  expect((await stored()).map(({ proof }) => proof)).toEqual([peer, ram]);
  expect(await sql.rows(`select distinct manifest -> 'features' as f from bundle`)).toEqual([
    { f: { dmaAlias: true } },
  ]);
  await dataSource.destroy();
  await sql.close();
  await drop();
});
