import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

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

const stage = (name: 'boot' | 'test', status: 'started' | 'passed' | 'failed') =>
  ({ type: 'stage', stage: name, status, detail: null }) as const;
const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;

async function begin(key: string, suites = '[p2p-functional]') {
  const yaml = `name: r\nsuites: ${suites}\nbuilds: [{name: b, bundle: ${key}}]\n`;
  const { id } = await farm.call('submitRun', { body: { yaml } });
  return { ...(await agent.take('test')), run: id };
}

/** An attempt whose stages took so many seconds. */
async function past(key: string, seconds: number, status: 'passed' | 'failed' = 'passed', suites?: string) {
  const test = await begin(key, suites);
  const stages = (['boot', 'test'] as const).flatMap((name) => [stage(name, 'started'), stage(name, status)]);
  await agent.events(test, 0, ...stages, finished);
  await farm.sql.run(
    'update attempt_stage set ended_at = started_at + make_interval(secs => $2) where participant_id = $1',
    [test.participantId, seconds],
  );
}

it('a running stage says what it usually takes on its machine, once three are known', async () => {
  const { key } = (await farm.bundle('eta')).manifest;
  const usual = async (attempt: string) => {
    const { stages } = await farm.call('getAttempt', { params: { attempt } });
    return stages.map(({ stage: name, usualMs }) => [name, usualMs]);
  };
  for (const seconds of [10, 30]) await past(key, seconds);
  await past(key, 500, 'failed');
  const early = await begin(key);
  await agent.events(early, 0, stage('boot', 'started'));
  expect(await usual(early.participantId)).toEqual([['boot', undefined]]);
  await agent.events(early, 1, stage('boot', 'failed'), finished);

  // With other suites its boot counts, and its tests do not.
  await past(key, 20, 'passed', '[p2p-perf]');
  const late = await begin(key);
  await agent.events(late, 0, stage('boot', 'started'));
  expect(await usual(late.participantId)).toEqual([['boot', 20_000]]);
  await agent.events(late, 1, stage('boot', 'passed'), stage('test', 'started'));
  expect(await usual(late.participantId)).toEqual([
    ['boot', undefined],
    ['test', undefined],
  ]);
  const { jobViews } = await farm.call('getRun', { params: { run: late.run } });
  expect(jobViews[0]?.attempts[0]?.stages.map(({ usualMs }) => usualMs)).toEqual([undefined, undefined]);
  await agent.events(late, 3, stage('test', 'passed'), finished);
  await farm.sql.run(
    `update attempt_stage set ended_at = started_at + interval '40 s' where participant_id = $1 and stage = 'test'`,
    [late.participantId],
  );

  const last = await begin(key);
  await agent.events(last, 0, stage('test', 'started'));
  expect(await usual(last.participantId)).toEqual([['test', 30_000]]);
  const run = await farm.call('getRun', { params: { run: last.run } });
  expect(run.jobViews[0]?.attempts[0]?.stages[0]?.usualMs).toBe(30_000);
  await agent.events(last, 1, finished);
  expect(await usual(last.participantId)).toEqual([['test', undefined]]);
});
