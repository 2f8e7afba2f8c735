import type { AttemptEvent, TestResult } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { takePair, type PairAttempt } from '../testing/pair-attempt.js';
import { sampleResult } from '../testing/samples.js';

const TEST = { suite: 'p2p-functional', test: 'alias_read' };
const FINISHED: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
const result = (status: 'pass' | 'fail', reason: string | null): AttemptEvent => {
  const log: TestResult['log'] = { stream: 'serial', fromSeq: 0, toSeq: 0 };
  return { type: 'result', result: { ...sampleResult(TEST.suite, TEST.test), status, reason, log } };
};

let farm: TestFarm;
let [lab, other]: FakeAgent[] = [];
/** The client, whose role stands first by name and second in the job, fails; in the run before both passed. */
let [before, failed]: PairAttempt[] = [];
beforeAll(async () => {
  farm = await TestFarm.start();
  const { key } = (await farm.bundle('gang')).manifest;
  lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  const pairOf = async (status: 'pass' | 'fail', reason: string | null): Promise<PairAttempt> => {
    if (lab === undefined || other === undefined) throw new Error('an agent is missing');
    const pair = await takePair(farm, key, lab, other);
    await lab.log(pair.server, 'serial', 0, ['of the server']);
    await other.log(pair.client, 'serial', 0, ['of the client']);
    await lab.events(pair.server, 0, result('pass', null), FINISHED);
    await other.events(pair.client, 0, result(status, reason), FINISHED);
    return pair;
  };
  before = await pairOf('pass', null);
  failed = await pairOf('fail', 'no answer');
});
afterAll(async () => {
  lab?.vanish();
  other?.vanish();
  await farm.stop();
});

it('the column of a job with several roles names the kernel, the machine and the devices of each', async () => {
  const { columns } = await farm.call('getGrid', { query: { run: failed?.run } });
  expect(columns).toHaveLength(1);
  const pair = { provider: expect.stringMatching(/^[0-9a-f]{4}:/), client: expect.stringMatching(/^[0-9a-f]{4}:/) };
  const { aliases: _, ...kernel } = columns[0]?.build ?? { aliases: [] };
  expect(kernel).toMatchObject({ name: 'b', release: expect.any(String), features: ['dma_alias'] });
  expect(columns[0]?.roles).toEqual([
    { role: 'server', machine: 'm1', pair, build: kernel },
    { role: 'client', machine: 'm2', pair, build: kernel },
  ]);
  const { columns: newest } = await farm.call('getGrid', { query: {} });
  expect(newest.map(({ roles }) => roles?.map(({ role }) => role))).toEqual([['server', 'client']]);
});

it('where machines are told apart, jobs with several roles are there, by the machines of their roles', async () => {
  const { columns, hasTwins } = await farm.call('getGrid', { query: { machines: 'each' } });
  expect(columns.map(({ roles, attemptId }) => [roles?.map(({ machine }) => machine), attemptId])).toEqual([
    [['m1', 'm2'], failed?.attempt],
  ]);
  // The client could as well have run on m1.
  expect(hasTwins).toBe(true);
});

it('a result is that of the role whose verdict stands in the cell, with those of the other roles', async () => {
  const params = { attempt: failed?.attempt ?? '' };
  const { cells } = await farm.call('getGrid', { query: { run: failed?.run } });
  expect(cells.filter(({ verdict }) => verdict === 'fail')).toMatchObject([
    { reason: 'client: no answer', log: { role: 'client' } },
  ]);
  expect(await farm.call('getResult', { params, query: TEST })).toMatchObject({
    role: 'client',
    verdict: 'fail',
    log: { role: 'client' },
    others: [{ role: 'server', verdict: 'pass', log: { role: 'server' } }],
  });
  expect(await farm.call('getResult', { params, query: { ...TEST, role: 'server' } })).toMatchObject({
    role: 'server',
    others: [{ role: 'client' }],
  });
  await expect(farm.call('getResult', { params, query: { ...TEST, role: 'third' } })).rejects.toThrow(/404/);
});

it('a comparison shows the reason and the log of the role that makes the difference', async () => {
  const { rows } = await farm.call('getCompare', { query: { a: before?.run ?? '', b: failed?.run ?? '' } });
  expect(rows).toMatchObject([
    { ...TEST, class: 'regressed', b: { verdict: 'fail', reason: 'client: no answer', log: { role: 'client' } } },
  ]);
});

it('a build lists the jobs in which any role boots it, with the role and its machine', async () => {
  const { columns } = await farm.call('getGrid', { query: { run: failed?.run } });
  const { jobs } = await farm.call('getBuild', { params: { build: columns[0]?.build.id ?? '' } });
  expect(jobs.map(({ role, machine }) => [role, machine])).toEqual([
    ['server', 'm1'],
    ['client', 'm2'],
  ]);
});

it('a kernel has one result of an attempt, that of its worst role, and no repeats that contradict each other', async () => {
  const { columns } = await farm.call('getBuildGrid', { query: { combination: 'all' } });
  const kernel = columns[0]?.key ?? '';
  const results = await farm.call('getKernelResults', { params: { key: kernel }, query: TEST });
  // It failed in one of two attempts.
  expect(results).toMatchObject([{ verdict: 'flaky', reason: expect.stringMatching(/passed 1 of 2/) }]);
  expect(results[0]?.reason).toContain('client: no answer');
});

it('a history has the result of each role, with its machine', async () => {
  const { entries } = await farm.call('getHistory', { query: TEST });
  expect(entries.map(({ role, machine, verdict }) => [role, machine, verdict])).toEqual([
    ['client', 'm2', 'fail'],
    ['server', 'm1', 'pass'],
    ['client', 'm2', 'pass'],
    ['server', 'm1', 'pass'],
  ]);
});
