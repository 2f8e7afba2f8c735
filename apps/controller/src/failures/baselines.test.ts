import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { STORY_SUITE } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';

const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
const KIND = 'BUS_ADDR';

let farm: TestFarm;
let story: SampleEvidence;
beforeAll(async () => {
  farm = await TestFarm.start();
  story = await insertEvidence(farm.sql, 3);
});
afterAll(() => farm?.stop());

const accept = (attempt: string, more: { until?: string; suite?: string } = {}) =>
  farm.request('acceptBaseline', {
    params: { attempt },
    body: { suite: STORY_SUITE, reason: 'the base lacks the alias', until: inDays(20), ...more },
  });
const base = (run: number): string => story.attempt(run, 'base', KIND);
const known = async (run: number, attempt: string) =>
  (await farm.call('listRunFailures', { params: { run: story.runs[run] ?? '' }, query: { attempt } })).failures
    .filter((each) => each.known?.ended === null)
    .map(({ test }) => test);

describe('a baseline', () => {
  it('is refused from a kernel with patches, without an end in the future, and of an unknown attempt', async () => {
    await farm.sql.run(
      `update bundle set manifest = jsonb_set(manifest, '{series}', '[{"file": "1", "subject": "s", "sha256": "${'0'.repeat(64)}"}]')
       where manifest ->> 'release' like '%dma-alias%'`,
    );
    const patched = await accept(story.attempt(0, 'dma-alias', KIND));
    expect([patched.status, await patched.text()]).toEqual([
      422,
      expect.stringMatching(/has 1 patches: accept the baseline/),
    ]);
    expect((await accept(base(0), { until: inDays(-1) })).status).toBe(422);
    expect((await accept(story.runs[0] ?? '')).status).toBe(404);
    expect(await farm.call('listBaselines', { query: {} })).toEqual([]);
  });

  it('makes the failures of its suite known on every kernel of its base, and no others', async () => {
    expect((await accept(base(0))).status).toBe(200);
    const [own] = await farm.call('listBaselines', { query: { suite: STORY_SUITE } });
    expect(own).toMatchObject({
      suite: STORY_SUITE,
      failures: 2,
      by: 'tester',
      base: { version: '7.3.4' },
      ended: null,
    });
    expect(await known(2, base(2))).toEqual(['alias_read', 'alias_write']);
    const memory = await farm.call('getFailure', {
      params: { attempt: base(1) },
      query: { suite: STORY_SUITE, test: 'alias_read' },
    });
    expect(memory.known).toMatchObject({ reason: 'the base lacks the alias', base: '7.3.4', ended: null });
    expect(memory.verdict).toBe('bounced');
    const thp = story.attempt(1, 'dma-alias', 'THRU_HOST_BRIDGE');
    expect(await known(1, thp)).toEqual([]);
  });

  it('is shown in the grid: which cells, who accepted it, until when', async () => {
    const grid = await farm.call('getGrid', { query: { run: story.runs[1] ?? '' } });
    const cells = grid.known.map(({ row, column }) => [grid.rows[row]?.test, grid.columns[column]?.build.name]);
    expect(new Set(cells.map(([, build]) => build))).toEqual(new Set(['base']));
    expect(cells.map(([test]) => test)).toContain('alias_read');
    expect(grid.marks).toEqual([
      { reason: 'the base lacks the alias', by: 'tester', until: expect.any(String) as string, base: '7.3.4' },
    ]);
  });

  it('of another base does not count', async () => {
    await farm.sql.run(
      `update bundle set manifest = jsonb_set(manifest, '{base,sha256}', to_jsonb(repeat('e', 64)))
      where key = (select bundle_key from build b join job j on j.build_id = b.id join attempt t on t.job_id = j.id where t.id = $1)`,
      [base(1)],
    );
    expect(await known(1, base(1))).toEqual([]);
    await farm.sql.run(
      `update bundle set manifest = jsonb_set(manifest, '{base,sha256}', to_jsonb((select base from baseline limit 1)))`,
    );
  });

  it('is replaced by the next one, ends by itself, and is withdrawn by name', async () => {
    const first = (await farm.call('listBaselines', { query: {} }))[0];
    await farm.sql.run(`delete from result where attempt_id = $1 and test = 'alias_write'`, [base(2)]);
    expect((await accept(base(2))).status).toBe(200);
    const all = await farm.call('listBaselines', { query: {} });
    expect(all).toMatchObject([{ failures: 1, ended: null }]);
    expect(await known(1, base(1))).toEqual(['alias_read']);
    await farm.sql.run(`update baseline set until = clock_timestamp() - interval '1 s' where id = $1`, [all[0]?.id]);
    expect((await farm.call('getGrid', { query: { run: story.runs[1] ?? '' } })).known).toEqual([]);
    await farm.sql.run(`update baseline set until = clock_timestamp() + interval '1 day' where id = $1`, [all[0]?.id]);
    await farm.call('endKnownFailure', { params: { known: all[0]?.id ?? '' } });
    expect(await known(1, base(1))).toEqual([]);
    expect((await farm.call('listBaselines', { query: {} }))[0]?.ended).toMatchObject({ by: 'tester' });
    expect(first?.id).not.toBe(all[0]?.id);
  });
});
