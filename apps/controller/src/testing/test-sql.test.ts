import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from './farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

it('listens to the pool of a farm once, however often a test asks for it, and to the next one after a restart', async () => {
  const { sql } = farm;
  const before = sql.pool.listenerCount('acquire');
  for (let asked = 0; asked < 20; asked += 1) await farm.sql.run('select 1');
  expect(sql.pool.listenerCount('acquire')).toBe(before);
  await farm.restart();
  expect(farm.sql.pool).not.toBe(sql.pool);
  expect(await farm.sql.rows('select 1 as one')).toEqual([{ one: 1 }]);
});
