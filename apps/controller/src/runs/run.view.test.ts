import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

it('runs that were created within one millisecond come once each, in pages of one', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const { manifest } = await farm.bundle('paged');
  const submitted: string[] = [];
  for (let index = 0; index < 4; index += 1) {
    const yaml = `name: r${index}\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    submitted.push((await farm.call('submitRun', { body: { yaml } })).id);
  }
  // Two of them share the microsecond, too.
  for (const [index, id] of submitted.entries()) {
    await farm.sql.run(
      `update run set created_at = '2026-01-02T03:04:05.678Z'::timestamptz + make_interval(secs => $2) where id = $1`,
      [id, Math.min(index, 2) / 1_000_000],
    );
  }
  const listed = await farm.call('listRuns', {});
  expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(submitted));
  expect(new Set(listed.map(({ createdAt }) => createdAt))).toEqual(new Set(['2026-01-02T03:04:05.678Z']));
  const seen: string[] = [];
  let page = await farm.call('listRuns', { query: { limit: 1 } });
  while (page[0] !== undefined && seen.length <= submitted.length) {
    seen.push(page[0].id);
    page = await farm.call('listRuns', { query: { limit: 1, before: page[0].cursor } });
  }
  expect(seen).toEqual(listed.map(({ id }) => id));
  agent.vanish();
});

it('a place in the list that is no cursor is refused, by its field', async () => {
  for (const before of [
    '2026-01-02T03:04:05Z',
    'yesterday~x',
    '0000-02-29T23:57:43Z~00000000-0000-4000-8000-000000000000',
  ]) {
    const response = await farm.request('listRuns', { query: { before } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ path: 'before' }] });
  }
});
