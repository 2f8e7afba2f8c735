import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { dataSourceOptions, migrate } from './data-source.js';
import { createTestDatabase } from './testing/database.js';
import { TestFarm } from './testing/farm.js';

it('the migrations build exactly what the entities say', async () => {
  const { address, drop } = await createTestDatabase();
  const dataSource = await new DataSource(dataSourceOptions(address)).initialize();
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  await dataSource.destroy();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
  expect(await migrate(address)).toEqual([]);
  await drop();
});

it('gives a job the name of its build when a controller of the version before stores it', async () => {
  const farm = await TestFarm.start();
  const { manifest } = await farm.bundle('older');
  await farm.agent({ m1: 'BUS_ADDR' });
  const yaml = `name: r\nbuilds: [{name: patched, bundle: ${manifest.key}}]\n`;
  const { id } = await farm.call('submitRun', { body: { yaml } });
  await farm.sql.run(
    `insert into job (id, run_id, build_id, position, kind, state)
     select gen_random_uuid(), run_id, build_id, 99, kind, state from job where run_id = $1`,
    [id],
  );
  const names = await farm.sql.rows('select build_name from job where run_id = $1', [id]);
  expect(names).toEqual([{ build_name: 'patched' }, { build_name: 'patched' }]);
  await farm.stop();
});
