import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QueryRunner } from 'typeorm';
import { UnpackedAttempts1764600000000 } from '../migrations/1764600000000-unpacked-attempts.js';
import { columnsOf, integer, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { AttemptVerdicts } from '../schema/results.js';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { STORY_TESTS } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { PackingScheduler } from './packing.scheduler.js';
import { ResultStore } from './result-store.js';
import { VerdictRows } from './verdict-rows.js';

const RUNS = 2;

let farm: TestFarm;
let evidence: SampleEvidence;
beforeEach(async () => {
  farm = await TestFarm.start();
  evidence = await insertEvidence(farm.sql, RUNS);
});
afterEach(() => farm?.stop());

const count = async (table: 'attempt' | 'attempt_verdicts' | 'unpacked_attempt'): Promise<number> =>
  (await farm.sql.one({ n: integer }, `select count(*) as n from ${table}`))?.n ?? 0;
const packedOf = (attempt: string) =>
  farm.sql.one(
    pick(columnsOf(AttemptVerdicts), 'verdicts', 'reasons'),
    'select verdicts, reasons from attempt_verdicts where attempt_id = $1',
    [attempt],
  );
const tick = () => farm.server.app.get(PackingScheduler).tick();
const queueAll = () => farm.sql.run('insert into unpacked_attempt select id from attempt on conflict do nothing');

describe('packing in the background', () => {
  it('packs what the queue has, empties it, and announces that grids changed', async () => {
    await queueAll();
    const before = await farm.sql.one({ n: integer }, `select count(*) as n from change where topic = 'grid'`);
    await tick();
    expect([await count('unpacked_attempt'), await count('attempt_verdicts')]).toEqual([0, await count('attempt')]);
    const after = await farm.sql.one({ n: integer }, `select count(*) as n from change where topic = 'grid'`);
    expect(after?.n).toBeGreaterThan(before?.n ?? 0);
    const attempt = evidence.attempt(0, 'dma-alias', 'THRU_HOST_BRIDGE');
    expect(await packedOf(attempt)).toMatchObject({
      verdicts: 'PPPFPP',
      reasons: { 3: expect.stringContaining('0x5a01') },
    });
  });

  it('packs each attempt once when several controllers do it at the same time', async () => {
    const replica = await farm.replica();
    await queueAll();
    await Promise.all([tick(), replica.app.get(PackingScheduler).tick()]);
    // What one of them passed over, the other one held.
    expect([await count('unpacked_attempt'), await count('attempt_verdicts')]).toEqual([0, await count('attempt')]);
    await replica.close();
  });

  it('leaves an attempt that another transaction holds in the queue', async () => {
    await queueAll();
    const attempt = evidence.attempt(1, 'base', 'BUS_ADDR');
    await farm.sql.transaction(async (tx) => {
      await tx.run('select 1 from attempt where id = $1 for update', [attempt]);
      await tick();
      expect(await packedOf(attempt)).toBeNull();
      expect(await count('unpacked_attempt')).toBe(1);
    });
    await tick();
    expect(await packedOf(attempt)).not.toBeNull();
  });

  it('packs the others when one attempt cannot be packed', async () => {
    const attempt = evidence.attempt(0, 'base', 'BUS_ADDR');
    await farm.sql.run(`alter table attempt_verdicts add constraint refused check (attempt_id <> '${attempt}')`);
    await queueAll();
    await tick();
    expect([await count('unpacked_attempt'), await count('attempt_verdicts')]).toEqual([
      1,
      (await count('attempt')) - 1,
    ]);
  });

  it('queues at an upgrade what older versions left unpacked', async () => {
    await queueAll();
    await tick();
    const left = evidence.attempt(0, 'base', 'BUS_ADDR');
    await farm.sql.run('delete from attempt_verdicts where attempt_id = $1', [left]);
    await farm.sql.run('drop table unpacked_attempt');
    const runner = { query: (text: string) => farm.sql.run(text) };
    await new UnpackedAttempts1764600000000().up(runner as unknown as QueryRunner);
    expect(await farm.server.app.get(VerdictRows).queued('00000000-0000-0000-0000-000000000000')).toEqual([left]);
    await tick();
    expect(await packedOf(left)).not.toBeNull();
  });
});

describe('the results of an ended attempt', () => {
  const attempt = () => evidence.attempt(1, 'dma-alias', 'BUS_ADDR');
  const context = () => ({
    attemptId: attempt(),
    role: 'main',
    expected: 'BUS_ADDR' as const,
    prediction: null,
    suites: [{ name: 'p2p-functional', tests: STORY_TESTS }],
    wanted: ['p2p-functional'],
  });
  const store = () => farm.server.app.get(ResultStore);
  const lockAttempt = (tx: Queries) => tx.run('select 1 from attempt where id = $1 for update', [attempt()]);

  it('are packed again after a late result', async () => {
    await queueAll();
    await tick();
    const failure = { class: 'infrastructure' as const, stage: null, message: 'no sign of life', signature: null };
    await farm.sql.transaction(async (tx) => {
      await lockAttempt(tx);
      await store().putLateResult(tx, context(), sampleResult('p2p-functional', 'late_test'), failure);
    });
    expect([await packedOf(attempt()), await count('unpacked_attempt')]).toEqual([null, 1]);
    await tick();
    expect((await packedOf(attempt()))?.verdicts).toBe('PPPPPPI');
  });

  it('are queued when it ends, so that a controller that dies then loses nothing', async () => {
    await farm.sql.transaction(async (tx) => {
      await lockAttempt(tx);
      await store().settle(tx, context(), null, null);
    });
    expect(await farm.server.app.get(VerdictRows).queued('00000000-0000-0000-0000-000000000000')).toEqual([attempt()]);
  });

  it('leave the queue when they are removed', async () => {
    await queueAll();
    const before = await count('unpacked_attempt');
    await farm.sql.transaction(async (tx) => {
      await lockAttempt(tx);
      await store().remove(tx, [attempt()]);
    });
    expect(await count('unpacked_attempt')).toBe(before - 1);
  });
});
