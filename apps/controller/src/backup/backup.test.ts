import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { AttemptEvent, Grid } from '@peerlab/contracts';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pgOptions, type DatabaseAddress } from '../platform/database/connection.js';
import { TestSql } from '../testing/test-sql.js';
import { startServer } from '../server.js';
import { createTestDatabase, type TestDatabase } from '../testing/database.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { backUp } from './backup.js';
import { restore } from './restore.js';

const TEXTS = [
  'booting',
  'tab\there \\N backslash \\',
  '',
  'é💩 \u001b[31m',
  ...Array.from({ length: 20_000 }, (_, i) => `line ${i}`),
];

let farm: TestFarm;
let folder: string;
let run: string;
let attempt: string;
let sha256: string;
const spare: TestDatabase[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backup-'));
  farm = await TestFarm.start();
  const bundle = await farm.bundle('saved');
  sha256 = bundle.sha256;
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const yaml = `name: saved\nbuilds: [{name: b, bundle: ${bundle.manifest.key}}]\n`;
  run = (await farm.call('submitRun', { body: { yaml } })).id;
  const taken = await agent.take('test');
  attempt = taken.attemptId;
  for (let from = 0; from < TEXTS.length; from += 2000)
    await agent.log(taken, 'serial', from, TEXTS.slice(from, from + 2000));
  const measurement: AttemptEvent = {
    type: 'measurement',
    suite: 'p2p-perf',
    test: 'P01',
    metric: { name: 'copy', unit: 'GB/s', better: 'higher', samples: [1.5, 2.25, 1e-9], params: { size: 4096 } },
  };
  await agent.events(
    taken,
    0,
    { type: 'result', result: sampleResult('p2p-functional', 'F01', { reason: 'quote " and \\ and \n' }) },
    measurement,
    { type: 'finished', failure: null, restored: true, lineCounts: { serial: TEXTS.length } },
  );
  await farm.call('pinRun', { params: { run }, body: { pinned: true } });
});
afterAll(async () => {
  await farm.stop();
  for (const database of spare) await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** What the grid has of each cell. */
async function cellsOf(id: string): Promise<Pick<Grid, 'cells' | 'proofs'>> {
  const { cells, proofs } = await farm.call('getGrid', { query: { run: id } });
  return { cells, proofs };
}

/** A database without any table. */
async function emptyDatabase(): Promise<DatabaseAddress> {
  const database = await createTestDatabase();
  spare.push(database);
  const client = new Client(pgOptions(database.address));
  await client.connect();
  await client.query('drop schema public cascade; create schema public');
  await client.end();
  return database.address;
}

const saveTo = (target: string) => backUp(farm.database.address, join(farm.settings.stateDir, 'artifacts'), target);

it('brings a farm back on a fresh database, with every row, artifact and answer as it was', async () => {
  const target = join(folder, 'first');
  const summary = await saveTo(target);
  expect(summary).toMatchObject({ artifacts: 1, artifactsKnown: 0 });
  expect(summary.rows).toBeGreaterThan(TEXTS.length);
  const address = await emptyDatabase();
  const stateDir = join(folder, 'state');
  const done = await restore(address, join(stateDir, 'artifacts'), summary.folder);
  expect(done).toEqual({ rows: summary.rows, artifacts: 1 });

  const before = {
    run: await farm.call('getRun', { params: { run } }),
    attempt: await farm.call('getAttempt', { params: { attempt } }),
    grid: await cellsOf(run),
    log: await farm.call('getRawLog', { params: { attempt, stream: 'serial' } }),
    fence: (await farm.sql.one<{ fence: number }>('select max(fence) as fence from lease'))?.fence ?? 0,
  };
  const saved = farm.server;
  const settings = { ...farm.settings, stateDir };
  farm.server = await startServer(settings, address);
  try {
    expect(await farm.call('getRun', { params: { run } })).toEqual(before.run);
    expect(await farm.call('getAttempt', { params: { attempt } })).toEqual(before.attempt);
    expect(await cellsOf(run)).toEqual(before.grid);
    expect(await farm.call('getRawLog', { params: { attempt, stream: 'serial' } })).toBe(before.log);
    expect((await farm.call('getRetention', {})).pins).toHaveLength(1);
    const artifact = await farm.request('getArtifact', { params: { sha256 } });
    expect(
      createHash('sha256')
        .update(Buffer.from(await artifact.arrayBuffer()))
        .digest('hex'),
    ).toBe(sha256);
    // The tokens of before are good, new work can be done, and its fence is above all that machines have seen.
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    await farm.call('retryRun', { params: { run }, body: {} });
    const again = await agent.take('test');
    expect(again.fence).toBeGreaterThan(before.fence + 100_000);
  } finally {
    await farm.server.close();
    farm.server = saved;
  }
});

it('is a moment of a farm that goes on, and the next one shares its artifacts', async () => {
  const target = join(folder, 'running');
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  await farm.call('retryRun', { params: { run }, body: {} });
  const taken = await agent.take('test');
  const stop = new AbortController();
  let sent = 0;
  const writing = (async () => {
    for (; !stop.signal.aborted; sent += 50)
      await agent.log(
        taken,
        'kernel',
        sent,
        Array.from({ length: 50 }, (_, i) => `k ${sent + i}`),
      );
  })();
  const first = await saveTo(target);
  const second = await saveTo(target);
  stop.abort();
  await writing;
  expect(second).toMatchObject({ artifacts: 1, artifactsKnown: 1 });
  const names = [...[first, second].map(({ folder: own }) => own.split('/').at(-1)), 'artifacts'];
  expect(new Set(await readdir(target))).toEqual(new Set(names));
  const address = await emptyDatabase();
  await restore(address, join(folder, 'state-running'), first.folder);
  const sql = new TestSql(address);
  // Counter and lines belong to one moment.
  const row = await sql.one<{ next: number; lines: number }>(
    `select next, (select count(*) from log_line l where l.participant_id = s.participant_id and l.stream = 'kernel') as lines
     from stream s where s.participant_id = $1 and s.stream = 'kernel'`,
    [taken.attemptId],
  );
  await sql.close();
  expect(row?.lines).toBe(row?.next);
});

it('refuses what would not give the farm back', async () => {
  const { folder: whole } = await saveTo(join(folder, 'refused'));
  const state = (): string => join(folder, randomBytes(4).toString('hex'));
  await expect(restore(farm.database.address, state(), whole)).rejects.toThrow(/restore into an empty one/);
  await expect(restore(await emptyDatabase(), state(), join(folder, 'refused'))).rejects.toThrow(/manifest\.json/);

  const damagedFile = join(folder, 'refused/artifacts', sha256.slice(0, 2), sha256);
  await writeFile(damagedFile, 'something else');
  const store = state();
  await expect(restore(await emptyDatabase(), store, whole)).rejects.toThrow(/digest/);
  expect(existsSync(join(store, 'sha256', sha256.slice(0, 2), sha256))).toBe(false);
  await rm(damagedFile);
  await saveTo(join(folder, 'refused'));

  const manifestFile = join(whole, 'manifest.json');
  const manifest = await readFile(manifestFile, 'utf8');
  await writeFile(manifestFile, manifest.replace('"Initial', '"Future9900000000000", "Initial'));
  await expect(restore(await emptyDatabase(), state(), whole)).rejects.toThrow(/of a newer version/);
  await writeFile(manifestFile, manifest);

  await truncate(join(whole, 'tables/log_line.copy.gz'), 2000);
  const address = await emptyDatabase();
  await expect(restore(address, state(), whole)).rejects.toThrow(/unexpected end of file/);
  const sql = new TestSql(address);
  expect(await sql.one('select 1 from run')).toBeNull();
  await sql.close();
});
