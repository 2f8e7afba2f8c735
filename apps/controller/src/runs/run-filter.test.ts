import type { RunFilter } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataSourceOptions } from '../data-source.js';
import { TestFarm } from '../testing/farm.js';
import { DataSource } from 'typeorm';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const names = async (filter: RunFilter & { limit?: number; before?: string }) =>
  (await farm.call('listRuns', { query: filter })).map(({ name }) => name);

it('lists the runs that fulfil every condition, newest first, page by page', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' }, { capabilities: [] });
  const old = await farm.bundle('old');
  const young = await farm.bundle('young');
  const submit = async (name: string, key: string, machine: string): Promise<string> => {
    const yaml = `name: ${name}\nbuilds: [{name: ${name.replace('%', '')}-kernel, bundle: ${key}}]\nmachines: {names: [${machine}]}\n`;
    return (await farm.call('submitRun', { body: { yaml } })).id;
  };
  const ids = {
    first: await submit('first', old.manifest.key, 'm1'),
    second: await submit('second', young.manifest.key, 'm1'),
    third: await submit('third', young.manifest.key, 'm2'),
    fourth: await submit('Fourth%', young.manifest.key, 'm2'),
  };
  const set = (id: string, day: number, more: string): Promise<number> =>
    farm.sql.run(
      `update run set created_at = '2026-03-01T23:59:59Z'::timestamptz + make_interval(days => $2) ${more} where id = $1`,
      [id, day],
    );
  await set(ids.first, 0, `, state = 'ended', verdict = 'crash', submitted_by = 'ann'`);
  await set(ids.second, 1, `, state = 'ended', verdict = 'pass', submitted_by = 'ann'`);
  // It runs: what it has found so far is no verdict.
  await set(ids.third, 2, `, state = 'running', verdict = 'crash'`);
  await set(ids.fourth, 3, '');

  expect(await names({})).toEqual(['Fourth%', 'third', 'second', 'first']);
  expect(await names({ q: 'f' })).toEqual(['Fourth%', 'first']);
  expect(await names({ q: '%' })).toEqual(['Fourth%']);
  expect(await names({ q: 'a\u0000b' })).toEqual([]);
  expect(await names({ verdict: 'crash' })).toEqual(['first']);
  expect(await names({ verdict: 'wrong' })).toEqual(['first']);
  expect(await names({ state: 'open' })).toEqual(['Fourth%', 'third']);
  expect(await names({ state: 'running' })).toEqual(['third']);
  expect(await names({ machine: 'm1' })).toEqual(['second', 'first']);
  expect(await names({ kernel: 'third-kernel' })).toEqual(['third']);
  expect(await names({ kernel: old.manifest.release })).toEqual(['first']);
  expect(await names({ kernel: young.manifest.buildId.slice(0, 10).toUpperCase() })).toEqual([
    'Fourth%',
    'third',
    'second',
  ]);
  expect(await names({ submitter: 'ann' })).toEqual(['second', 'first']);
  expect(await names({ submitter: 'tester', state: 'queued' })).toEqual(['Fourth%']);
  expect(await names({ from: '2026-03-02', until: '2026-03-03' })).toEqual(['third', 'second']);
  expect(await names({ machine: 'm1', verdict: 'pass', until: '2026-03-02' })).toEqual(['second']);
  const [newest] = await farm.call('listRuns', { query: { machine: 'm1', limit: 1 } });
  expect(await names({ machine: 'm1', limit: 1, before: newest?.cursor ?? '' })).toEqual(['first']);
  agent.vanish();
});

it('refuses what is no condition, by its field', async () => {
  for (const [field, value] of Object.entries({ verdict: 'x', state: 'x', from: '2026-02-30', until: '0000-01-01' })) {
    const response = await farm.request('listRuns', { query: { [field]: value } });
    expect(response.status, field).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ path: field }] });
  }
});

it('the migration takes the submitter out of the trigger’s words', async () => {
  const id = await farm.sql.one<{ id: string }>(`select id from run where name = 'second'`);
  await farm.sql.run(`update run set trigger_detail = 'ann, again after 123', submitted_by = '' where id = $1`, [
    id?.id,
  ]);
  const source = await new DataSource(dataSourceOptions(farm.database.address)).initialize();
  try {
    // Later migrations are undone first.
    const hasColumn = (): Promise<boolean> =>
      farm.sql.exists(
        `select 1 from information_schema.columns where table_name = 'run' and column_name = 'submitted_by'`,
      );
    while (await hasColumn()) await source.undoLastMigration();
    await source.runMigrations();
  } finally {
    await source.destroy();
  }
  expect(await names({ submitter: 'ann' })).toEqual(['second']);
});
