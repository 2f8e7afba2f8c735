import type { AttemptEvent } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AttemptView } from '../attempts/attempt.view.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { AttemptDetailView } from './attempt-detail.js';

let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR' });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

/** Statements with something that happens right after the first of them was answered. */
function interrupted(sql: Sql, happens: () => Promise<void>): Sql {
  let isFirst = true;
  const slow = (queries: Queries): Queries => ({
    ...queries,
    exists: (text, values) => queries.exists(text, values),
    run: (text, values) => queries.run(text, values),
    rows: (shape, text, values) => queries.rows(shape, text, values),
    async one(shape, text, values) {
      const answer = await queries.one(shape, text, values);
      if (isFirst) {
        isFirst = false;
        await happens();
      }
      return answer;
    },
  });
  const own = new Sql(sql.pool);
  return Object.assign(own, {
    ...slow(sql),
    snapshot: <T>(work: (queries: Queries) => Promise<T>) => sql.snapshot((queries) => work(slow(queries))),
  });
}

it('an attempt that ends while it is read is shown as it was, with nothing of its end', async () => {
  const { manifest } = await farm.bundle('moment');
  await farm.call('submitRun', { body: { yaml: `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
  const work = await agent.take('test');
  const finished: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
  let hasEnded = false;
  const sql = interrupted(farm.sql, async () => {
    await agent.events(work, 0, { type: 'result', result: sampleResult('farm', 'boot') }, finished);
    hasEnded = true;
  });
  const read = await new AttemptDetailView(sql, new AttemptView(sql)).read(work.attemptId);
  expect(hasEnded).toBe(true);
  expect(read.state).not.toBe('ended');
  expect(read.results).toEqual([]);
  const after = await farm.call('getAttempt', { params: { attempt: work.attemptId } });
  expect(after).toMatchObject({ state: 'ended' });
  expect(after.results.length).toBeGreaterThan(0);
});
