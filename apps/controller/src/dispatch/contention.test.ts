import { afterAll, beforeEach, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import type { FakeAgent } from '../testing/fake-agent.js';

const farms: { farm: TestFarm; agent: FakeAgent }[] = [];
let farm: TestFarm;
beforeEach(async () => {
  farm = await TestFarm.start();
  const agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
  farms.push({ farm, agent });
  const { manifest } = await farm.bundle('contended');
  const submit = (machine: string) =>
    farm.call('submitRun', {
      body: { yaml: `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [${machine}]}\n` },
    });
  await submit('m1');
  await agent.take('test');
  await farm.sql.run(`update machine set desired = 'drained' where name = 'm2'`);
  await submit('m2');
});
afterAll(async () => {
  for (const each of farms) {
    each.agent.vanish();
    await each.farm.stop();
  }
});

const activate = () => farm.sql.run(`update machine set desired = 'active' where name = 'm2'`);

it('a lease that another controller always has first is tried a few times, and again with the next tick', async () => {
  // Stands for a slot that every snapshot shows as free: no claim beside the one that is open gets through.
  await farm.sql.run('drop index lease_machine_active');
  await farm.sql.run('create unique index lease_machine_active on lease ((1)) where released_at is null');
  await activate();
  expect(await farm.dispatch.dispatch()).toBe(0);
  await farm.sql.run('drop index lease_machine_active');
  await farm.sql.run('create unique index lease_machine_active on lease (machine) where released_at is null');
  await farm.until(async () => {
    await farm.dispatch.dispatch();
    return farm.sql.exists(`select 1 from lease where machine = 'm2'`);
  });
});

it('any other violation of a unique index is an error', async () => {
  await farm.sql.run('create unique index test_only on attempt ((1))');
  await activate();
  // The farm's own pass may hold the job at this moment; then nothing is due here.
  let error: unknown = null;
  await farm.until(async () => {
    error = await farm.dispatch.dispatch().then(
      () => null,
      (cause: unknown) => cause,
    );
    return error !== null;
  });
  expect(error).toMatchObject({ constraint: 'test_only' });
});
