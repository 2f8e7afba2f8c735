import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { dataSourceOptions, migrate } from './data-source.js';
import { createTestDatabase } from './testing/database.js';

it('the migrations build exactly what the entities say', async () => {
  const { address, drop } = await createTestDatabase();
  const dataSource = await new DataSource(dataSourceOptions(address)).initialize();
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  await dataSource.destroy();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
  expect(await migrate(address)).toEqual([]);
  await drop();
});
