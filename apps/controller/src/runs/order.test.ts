import { AGEING_MINUTES, compareQueued, type QueuedJob } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestSql } from '../testing/test-sql.js';
import { createTestDatabase, type TestDatabase } from '../testing/database.js';
import { TestFarm } from '../testing/farm.js';
import { goesBefore, queueAt, queueOrder } from './order.js';

let database: TestDatabase;
let sql: TestSql;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new TestSql(database.address);
});
afterAll(async () => {
  await sql.close();
  await database.drop();
});

const T0 = 1_763_800_000_000;
const queue = fc.uniqueArray(
  fc.record({
    id: fc.uuid(),
    priority: fc.integer({ min: 0, max: 100 }),
    queuedAtMs: fc.oneof(
      fc.integer({ min: T0, max: T0 + 10_000_000 }),
      fc.integer({ min: 0, max: 120 }).map((steps) => T0 + steps * AGEING_MINUTES * 60_000),
    ),
    position: fc.integer({ min: 0, max: 3 }),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 40 },
);

/** The given jobs as rows `j`, in the shape that the claim reads. */
const rows = `(select * from jsonb_to_recordset($1) as x(id uuid, priority int, "queuedAtMs" bigint, position int)) x
  cross join lateral (select to_timestamp(x."queuedAtMs" / 1000.0) as at) t
  cross join lateral (select x.id, x.position, t.at as queued_at, ${queueAt('t.at', 'x.priority')} as queue_at) j`;

it('jobs are taken in the order that contracts say, by the same rule in SQL', async () => {
  await fc.assert(
    fc.asyncProperty(queue, async (jobs: QueuedJob[]) => {
      const ordered = await sql.rows<{ id: string }>(`select j.id from ${rows} order by ${queueOrder('j')}`, [
        JSON.stringify(jobs),
      ]);
      expect(ordered.map(({ id }) => id)).toEqual(jobs.toSorted(compareQueued).map(({ id }) => id));
    }),
    { numRuns: 150 },
  );
});

it('the number of jobs ahead is counted by the same rule', async () => {
  await fc.assert(
    fc.asyncProperty(queue, async (jobs: QueuedJob[]) => {
      const ahead = goesBefore('j', 'k');
      const counted = await sql.rows<{ id: string; ahead: number }>(
        `select k.id, (select count(*) from ${rows} where ${ahead}) as ahead
         from (select * from jsonb_to_recordset($1) as y(id uuid, priority int, "queuedAtMs" bigint, position int)) y
           cross join lateral (select to_timestamp(y."queuedAtMs" / 1000.0) as at) u
           cross join lateral (select y.id, y.position, u.at as queued_at, ${queueAt('u.at', 'y.priority')} as queue_at) k`,
        [JSON.stringify(jobs)],
      );
      const expected = new Map(jobs.toSorted(compareQueued).map(({ id }, index) => [id, index]));
      for (const row of counted) expect(row.ahead).toBe(expected.get(row.id));
    }),
    { numRuns: 50 },
  );
});

it('a job that waited long enough is taken before a more important one that just came', async () => {
  const farm = await TestFarm.start();
  try {
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    const { manifest } = await farm.bundle('patient');
    const submit = (priority: number) =>
      farm.call('submitRun', {
        body: { yaml: `name: p${priority}\nbuilds: [{name: b, bundle: ${manifest.key}}]\npriority: ${priority}\n` },
      });
    await farm.sql.run(`update machine set desired = 'drained'`);
    const patient = await submit(0);
    const important = await submit(100);
    const waited = (minutes: number) =>
      farm.sql.run(
        `update job set queued_at = queued_at - make_interval(mins => $2), queue_at = queue_at - make_interval(mins => $2)
         where run_id = $1`,
        [patient.id, minutes],
      );
    const waiting = async (run: string) =>
      (await farm.call('getRun', { params: { run } })).jobViews.find(({ kind }) => kind === 'test')?.waiting;
    await waited(100 * AGEING_MINUTES + 1);
    await farm.sql.run(`update machine set desired = 'active'`);
    await farm.dispatch.dispatch();
    const { runId } = await agent.take('test');
    expect(runId).toBe(patient.id);
    expect(await waiting(important.id)).toBe('next in line for m1');
    agent.vanish();
  } finally {
    await farm.stop();
  }
});
