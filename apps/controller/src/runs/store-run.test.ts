import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Queries } from '../platform/database/sql.js';
import { TestFarm } from '../testing/farm.js';
import { RunService } from './run.service.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

/** The same transaction, with every statement counted. */
function counting(tx: Queries): { queries: Queries; count: () => number } {
  let count = 0;
  const queries = new Proxy(tx, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...values: unknown[]): unknown => {
        count += 1;
        return Reflect.apply(method, target, values);
      };
    },
  });
  return { queries, count: () => count };
}

it('a run is stored in as many statements for 600 jobs as for one, and all of them are there', async () => {
  const agent = await farm.agent({ m0: 'BUS_ADDR' }, { buildSlots: 0 });
  await farm.sql.run(`update machine set desired = 'drained'`);
  for (const [table, columns] of [
    ['machine', 'agent, description, labels, desired, reachable, inventory'],
    ['machine_path', 'position, combination, path'],
  ]) {
    const name = table === 'machine' ? 'name' : 'machine';
    await farm.sql.run(
      `insert into ${table} (${name}, ${columns}) select 'n' || i, ${columns} from ${table}, generate_series(1, 100) i
       where ${name} = 'm0'`,
    );
  }
  const { manifest } = await farm.bundle('counted');
  const runs = farm.server.app.get(RunService);
  const store = async (builds: object[], machines: object) => {
    const feasible = await runs.examine(JSON.stringify({ name: 'r', builds, machines }));
    return farm.sql.transaction(async (tx) => {
      const { queries, count } = counting(tx);
      const id = await runs.store(queries, feasible, { kind: 'user', by: '', detail: 'tester', submitter: null });
      return { id, count: count() };
    });
  };
  const small = await store([{ name: 'b0', bundle: manifest.key }], { names: ['m0'] });
  const bundles = Array.from({ length: 5 }, (_, index) => ({ name: `b${index}`, bundle: manifest.key }));
  const large = await store([...bundles, { name: 'built', series: [] }], { each: true });
  expect(large.count).toBe(small.count);
  const { jobViews, jobs } = await farm.call('getRun', { params: { run: large.id } });
  expect(jobs).toEqual({ total: 607, ended: 0 });
  const shown = (state: string) =>
    jobViews.filter((job) => job.state === state).map(({ kind, build }) => `${kind} ${build}`);
  expect(shown('blocked')).toEqual(Array.from({ length: 101 }, () => 'test built'));
  expect(shown('queued')).toEqual([
    'build built',
    ...bundles.flatMap(({ name }) => Array.from({ length: 101 }, () => `test ${name}`)),
  ]);
  expect(new Set(jobViews.map(({ machine, build, kind }) => `${kind} ${machine} ${build}`)).size).toBe(607);
  agent.vanish();
});
