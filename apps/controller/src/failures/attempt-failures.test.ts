import type { FailureClass } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { TestFarm } from '../testing/farm.js';
import { json } from '../platform/database/row-shape.js';
import { ATTEMPTS } from './same-failure.js';

const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
const SILENT = 'no login prompt within 300 s';

let farm: TestFarm;
let story: SampleEvidence;
beforeAll(async () => {
  farm = await TestFarm.start();
  story = await insertEvidence(farm.sql, 5);
  await fail(0, 'provisioning', 'boot', SILENT);
  await fail(1, 'provisioning', 'boot', 'no login prompt within 240 s');
  await fail(2, 'provisioning', 'flash', SILENT);
  await fail(3, 'provisioning', 'boot', 'the wrong kernel came up');
  await fail(4, 'provisioning', 'boot', SILENT);
});
afterAll(() => farm?.stop());

const attemptOf = (run: number): string => story.attempt(run, 'dma-alias', 'BUS_ADDR');
const fail = (
  run: number,
  kind: FailureClass,
  stage: string | null,
  message: string,
  signature: string | null = null,
) =>
  farm.sql.run('update attempt set failure = $2 where id = $1', [
    attemptOf(run),
    { class: kind, stage, message, signature },
  ]);
const memory = (run: number) => farm.call('getFailure', { params: { attempt: attemptOf(run) }, query: {} });
const ofRun = async (run: number, attempt?: string) =>
  farm.call('listRunFailures', {
    params: { run: story.runs[run] ?? '' },
    query: attempt === undefined ? {} : { attempt },
  });

describe('the failure of an attempt before any test', () => {
  it('is remembered by stage, class and message without its numbers', async () => {
    expect(await memory(4)).toMatchObject({
      suite: null,
      test: null,
      failure: { class: 'provisioning', stage: 'boot' },
      verdict: 'fail',
      what: SILENT,
      count: 3,
      earlier: 2,
      first: { attemptId: attemptOf(0), build: 'dma-alias', machine: story.hardware.BUS_ADDR.machine },
      before: { attemptId: attemptOf(1) },
      last: { attemptId: attemptOf(4) },
      combinationCount: 1,
      otherTests: 0,
      known: null,
    });
    expect((await memory(2)).count).toBe(1);
    expect((await memory(3)).earlier).toBe(0);
  });

  it('is the same crash by its signature, whatever was said about it', async () => {
    await fail(2, 'kernel-crash', 'boot', 'the console says so', 'BUG: unable to handle page fault in hmm_range_fault');
    await fail(3, 'kernel-crash', 'boot', 'it never came back', 'BUG: unable to handle page fault in hmm_range_fault');
    expect(await memory(3)).toMatchObject({ verdict: 'crash', earlier: 1, before: { attemptId: attemptOf(2) } });
  });

  it('stands among the failures of its run, before the results of the same verdict', async () => {
    const own = await ofRun(4, attemptOf(4));
    expect(own.failures[0]).toMatchObject({ suite: null, attemptId: attemptOf(4), earlier: 2, what: SILENT });
    const { failures, total } = await ofRun(4);
    expect(failures).toHaveLength(total);
    expect(failures.filter(({ suite }) => suite === null)).toHaveLength(1);
    expect(failures.filter(({ verdict }) => verdict === 'fail')[0]?.suite).toBeNull();
  });

  it('is marked as known, apart from failures of tests, and the mark is withdrawn', async () => {
    const { known } = await farm.call('markKnownFailure', {
      params: { attempt: attemptOf(1) },
      body: { reason: 'the console of this board is slow', until: inDays(3) },
    });
    expect((await memory(4)).known).toMatchObject({ reason: 'the console of this board is slow', by: 'tester' });
    expect((await memory(3)).known).toBeNull();
    const { failures } = await ofRun(4);
    expect(failures.filter((each) => each.known !== null).map(({ suite }) => suite)).toEqual([null]);
    await farm.call('endKnownFailure', { params: { known: known?.id ?? '' } });
    expect((await memory(4)).known?.ended).toMatchObject({ by: 'tester' });
  });

  it('is no failure when it was canceled or did not fail, and needs suite and test or neither', async () => {
    const status = async (run: number, query: { suite?: string; test?: string } = {}) =>
      (await farm.request('getFailure', { params: { attempt: attemptOf(run) }, query })).status;
    await fail(1, 'canceled', 'boot', 'canceled by tester');
    expect(await status(1)).toBe(404);
    await farm.sql.run('update attempt set failure = null where id = $1', [attemptOf(1)]);
    expect(await status(1)).toBe(404);
    expect(await status(4, { suite: 'p2p' })).toBe(422);
    expect((await ofRun(1, attemptOf(1))).failures.every(({ suite }) => suite !== null)).toBe(true);
  });

  it('is read by the index of failures', async () => {
    await farm.sql.run('analyze attempt');
    const [plan] = await farm.sql.transaction(async (tx) => {
      // The sample is so small that reading all of it would be faster.
      await tx.run('set local enable_seqscan = off');
      return tx.rows(
        { 'QUERY PLAN': json<unknown>() },
        `explain (format json) select 1 from ${ATTEMPTS.rows} where ${ATTEMPTS.key} = $1 and ${ATTEMPTS.isFailure('$2')}`,
        ['0'.repeat(32), ATTEMPTS.kinds],
      );
    });
    expect(JSON.stringify(plan)).toContain('attempt_failure');
  });
});
