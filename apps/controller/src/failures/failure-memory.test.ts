import { isKnownNow } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { STORY_SUITE } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { FAILURE_VERDICTS, RESULTS } from './same-failure.js';

const THP = { suite: STORY_SUITE, test: 'thp_alias' };
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

let farm: TestFarm;
let story: SampleEvidence;
beforeAll(async () => {
  farm = await TestFarm.start();
  story = await insertEvidence(farm.sql, 8);
});
afterAll(() => farm.stop());

const thp = (run: number): string => story.attempt(run, 'dma-alias', 'THRU_HOST_BRIDGE');
const memory = (attempt: string, query = THP) => farm.call('getFailure', { params: { attempt }, query });
const failures = (run: string, attempt?: string) =>
  farm.call('listRunFailures', { params: { run }, query: attempt === undefined ? {} : { attempt } });

describe('the memory of failures', () => {
  it('says where, on what and how often a test failed in the same way', async () => {
    expect(await memory(thp(2))).toMatchObject({
      verdict: 'fail',
      what: expect.stringContaining('byte 8192') as unknown,
      count: 4,
      earlier: 2,
      first: { attemptId: thp(0), run: { id: story.runs[0] }, build: 'dma-alias', machine: 'story-thru-host-bridge' },
      before: { attemptId: thp(1) },
      last: { attemptId: thp(3) },
      combinations: [{ combination: { hash: story.hardware.THRU_HOST_BRIDGE.combination }, count: 4 }],
      combinationCount: 1,
      kernelCount: 2,
      otherTests: 0,
      known: null,
    });
    expect((await memory(thp(0))).before).toBeNull();
    const { kernels } = await memory(thp(2));
    expect(kernels.map(({ count }) => count)).toEqual([2, 2]);
    expect(new Set(kernels.map(({ buildId }) => buildId)).size).toBe(2);
  });

  it('takes texts that differ only in numbers, addresses and ids for one, and others apart', async () => {
    const key = async (verdict: string, signature: string | null, reason: string | null) => {
      const [row] = await farm.sql.rows<{ key: string }>('select failure_key($1, $2, $3) as key', [
        verdict,
        signature,
        reason,
      ]);
      return row?.key;
    };
    const base = await key('fail', null, 'byte 8192: expected 0x5a01, got 0x5a03 (page 2, offset 0)');
    expect(await key('fail', null, 'byte 4096: expected 0xffee, got 0x0 (page 1, offset 16)')).toBe(base);
    expect(await key('fail', null, 'bit 4096: expected 0xffee, got 0x0 (page 1, offset 16)')).not.toBe(base);
    expect(await key('bounced', null, 'byte 8192: expected 0x5a01, got 0x5a03 (page 2, offset 0)')).not.toBe(base);
    const crash = await key('crash', 'kernel BUG at mm/hmm.c:412', 'it crashed after 3 s');
    expect(await key('crash', 'kernel BUG at mm/hmm.c:419', 'it crashed while it was idle')).toBe(crash);
    expect(await key('crash', 'kernel BUG at mm/memory.c:412', 'it crashed after 3 s')).not.toBe(crash);
    const ids = 'attempt 3f9c2ab0-1d2e-4f3a-8b4c-0123456789ab of 0123456789abcdef';
    expect(await key('infra', null, ids)).toBe(
      await key('infra', null, 'attempt 00000000-0000-4000-8000-000000000000 of fedcba9876543210'),
    );
  });

  it('is for failures only', async () => {
    const params = { attempt: story.attempt(6, 'dma-alias', 'BUS_ADDR') };
    for (const test of ['alias_read', 'munmap_while_mapped', 'no_such_test']) {
      const { status } = await farm.request('getFailure', { params, query: { suite: STORY_SUITE, test } });
      expect({ test, status }).toEqual({ test, status: 404 });
    }
  });

  it('lists the failures of a run and of one attempt, the worst first', async () => {
    const [, second = '', , , , , seventh = ''] = story.runs;
    const { failures: listed, total } = await failures(seventh);
    expect(listed[0]).toMatchObject({ verdict: 'crash', test: 'fork_while_mapped', earlier: 0, known: null });
    expect(listed).toHaveLength(total);
    expect(listed.every(({ verdict }) => FAILURE_VERDICTS.includes(verdict))).toBe(true);
    const own = await failures(second, thp(1));
    expect(own.failures).toMatchObject([{ attemptId: thp(1), test: 'thp_alias', earlier: 1, build: 'dma-alias' }]);
    expect((await farm.request('listRunFailures', { params: { run: thp(1) } })).status).toBe(404);
  });

  it('reads it by the index of failures', async () => {
    await farm.sql.run('analyze result');
    const [plan] = await farm.sql.rows<{ 'QUERY PLAN': string }>(
      `explain (format json) select 1 from ${RESULTS.rows} where ${RESULTS.key} = $1 and s.suite = $2 and s.test = $3
       and ${RESULTS.isFailure('$4')}`,
      ['0'.repeat(32), STORY_SUITE, 'thp_alias', FAILURE_VERDICTS],
    );
    expect(JSON.stringify(plan)).toContain('result_failure');
  });
});

describe('a known failure', () => {
  const mark = (attempt: string, more: { reason?: string; until?: string } = {}, token?: string | null) =>
    farm.request(
      'markKnownFailure',
      { params: { attempt }, body: { ...THP, reason: 'the tail is copied twice', until: inDays(30), ...more } },
      token,
    );

  it('is marked with reason, end and name on all its results, and no verdict changes', async () => {
    const [first = ''] = story.runs;
    const before = await farm.call('getRun', { params: { run: first } });
    expect((await mark(thp(2), {}, null)).status).toBe(401);
    expect((await mark(thp(2))).status).toBe(200);
    const { known, verdict } = await memory(thp(0));
    expect(known).toMatchObject({ reason: 'the tail is copied twice', by: 'tester', ended: null });
    expect(isKnownNow(known, Date.now())).toBe(true);
    expect(isKnownNow(known, Date.parse(inDays(31)))).toBe(false);
    expect(verdict).toBe('fail');
    const listed = (await failures(first)).failures;
    expect(listed.filter((each) => each.known !== null).map(({ test }) => test)).toEqual(['thp_alias']);
    const after = await farm.call('getRun', { params: { run: first } });
    expect([after.verdict, after.counts]).toEqual([before.verdict, before.counts]);
  });

  it('is replaced by a newer mark, and a mark that was withdrawn names who did so', async () => {
    expect((await mark(thp(3), { reason: 'a fix is on the list' })).status).toBe(200);
    const { known } = await memory(thp(1));
    expect(known?.reason).toBe('a fix is on the list');
    await farm.call('endKnownFailure', { params: { known: known?.id ?? '' } });
    await farm.call('endKnownFailure', { params: { known: known?.id ?? '' } });
    const ended = (await memory(thp(1))).known;
    expect(ended).toMatchObject({ reason: 'a fix is on the list', ended: { by: 'tester', at: expect.any(String) } });
    expect(isKnownNow(ended, Date.now())).toBe(false);
    expect((await mark(thp(3), { reason: 'back again' })).status).toBe(200);
    expect((await memory(thp(1))).known).toMatchObject({ reason: 'back again', ended: null });
    expect((await farm.request('endKnownFailure', { params: { known: thp(0) } })).status).toBe(404);
  });

  it('needs a reason and an end within a year', async () => {
    for (const wrong of [{ until: inDays(-1) }, { until: inDays(400) }, { reason: '  ' }]) {
      expect((await mark(thp(2), wrong)).status).toBe(422);
    }
    const passed = await farm.request('markKnownFailure', {
      params: { attempt: thp(2) },
      body: { suite: STORY_SUITE, test: 'alias_read', reason: 'x', until: inDays(1) },
    });
    expect(passed.status).toBe(404);
  });
});
