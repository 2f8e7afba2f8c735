import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backUp, eventually, pgOptions } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** A controller shows itself every two seconds. */
const SIGN_OF_LIFE = { limitMs: 15_000 };
const SHUTDOWN_MS = 10_000;

let farm: TestFarm;
let folder: string;
/** Holds up the duty that is under way. */
let holder: pg.Client;

beforeEach(async () => {
  farm = await TestFarm.start();
  folder = await mkdtemp(join(tmpdir(), 'duties-'));
  holder = new pg.Client(pgOptions(farm.database.address));
  await holder.connect();
  await eventually('the controller to show itself', seen, ({ size }) => size === 1);
});
afterEach(async () => {
  await holder.end();
  await farm.stop();
  await rm(folder, { recursive: true, force: true });
});

/** When each controller showed itself last, in epoch milliseconds. */
const seen = async (): Promise<Map<string, number>> => {
  const { rows } = await holder.query<{ id: string; at: Date }>('select id, seen_at as at from controller');
  return new Map(rows.map(({ id, at }) => [id, at.getTime()]));
};

/** Lets every duty stop that reads this table, in the middle of its work and with all its locks. */
async function holdUp(table: string): Promise<void> {
  await holder.query('begin');
  await holder.query(`lock table ${table} in access exclusive mode`);
}
const isHeldUp = async (table: string): Promise<boolean> => {
  const { rowCount } = await holder.query(
    `select 1 from pg_locks where relation = $1::regclass and not granted and database = (select oid from pg_database where datname = current_database())`,
    [table],
  );
  return rowCount !== 0;
};

/** What starts a duty, and a table at which it stops and which nothing else needs. */
const DUTIES: [string, string, () => Promise<unknown>][] = [
  [
    'a backup',
    'webhook_delivery',
    () => backUp(farm.database.address, join(farm.settings.stateDir, 'artifacts'), folder),
  ],
  ['retention', 'run_pin', () => farm.request('runRetention', {})],
];

describe.each(DUTIES)('while %s is under way', (_name, table, start) => {
  let duty: Promise<unknown>;
  beforeEach(async () => {
    await holdUp(table);
    duty = start();
    await eventually('the duty to be in the middle of its work', () => isHeldUp(table));
  });
  afterEach(async () => {
    await holder.query('rollback');
    await duty;
  });

  it('a controller goes on to show signs of life', async () => {
    const [[id, before] = ['', 0]] = [...(await seen())];
    await eventually(
      'a sign of life',
      async () => (await seen()).get(id) ?? 0,
      (now) => now > before,
      SIGN_OF_LIFE,
    );
  });

  it('a controller that starts shows itself and gives out work', async () => {
    const known = [...(await seen()).keys()];
    const other = await farm.replica();
    try {
      const isNew = (ids: Map<string, number>): boolean => [...ids.keys()].some((id) => !known.includes(id));
      await eventually('the new controller to show itself', seen, isNew, SIGN_OF_LIFE);
      const agent = await farm.agent({ m1: 'BUS_ADDR' });
      const { manifest } = await farm.bundle('patched');
      const yaml = JSON.stringify({
        name: 'while it runs',
        builds: [{ name: 'patched', bundle: manifest.key }],
        suites: manifest.suites.map(({ name }) => name),
        machines: { names: ['m1'] },
      });
      await farm.call('submitRun', { body: { yaml } });
      expect((await agent.take('test')).work.kind).toBe('test');
    } finally {
      // Or a controller that waits for the duty would keep the test from ending.
      await holder.query('rollback');
      await other.close();
    }
  });

  it('a controller that is told to end ends within seconds', async () => {
    const other = await farm.replica();
    const at = performance.now();
    const closed = other.close().then(() => performance.now() - at);
    const tooLong = new Promise<null>((resolve) => setTimeout(() => resolve(null), SHUTDOWN_MS));
    const took = await Promise.race([closed, tooLong]);
    // Frees a controller that waits for the duty, so that the test itself ends.
    if (took === null) await holder.query('rollback');
    await closed;
    expect(took).not.toBeNull();
  });
});
