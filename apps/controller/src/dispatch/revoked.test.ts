import type { AttemptEvent, Assignment } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_RUN, sampleManifest, sampleResult } from '../testing/samples.js';

type Finished = Extract<AttemptEvent, { type: 'finished' }>;

const finished = (more: Partial<Finished> = {}): Finished => ({
  type: 'finished',
  failure: null,
  restored: true,
  lineCounts: {},
  ...more,
});

let farm: TestFarm;
let agent: FakeAgent;
let yaml: string;

beforeAll(async () => {
  farm = await TestFarm.start();
  const { manifest } = await farm.bundle('revoked');
  yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
});
afterAll(() => farm.stop());
beforeEach(async () => {
  await farm.sql.run(`update machine set desired = 'active', desired_reason = null`);
  // What the test before left to be tried again is of no interest to the next one.
  await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state in ('queued', 'blocked')`);
  agent = await farm.agent({ m1: 'BUS_ADDR' });
  return () => agent.vanish();
});

const runOf = (id: string) => farm.call('getRun', { params: { run: id } });
const detailOf = ({ participantId }: { participantId: string }) =>
  farm.call('getAttempt', { params: { attempt: participantId } });
const machine = () => farm.call('getMachine', { params: { machine: 'm1' } });

/** Takes the lease of an attempt away, as if nobody had renewed it. */
async function revoke({ participantId }: { participantId: string }): Promise<void> {
  await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1`, [
    participantId,
  ]);
  // The controller's own tick may be faster.
  await farm.dispatch.reap();
  await farm.until(
    'the attempt to end',
    async () => (await detailOf({ participantId })).state,
    (state) => state === 'ended',
  );
}

/** A run whose only attempt that counts was revoked: there is no further retry. */
async function submitHopeless(): Promise<{ id: string; last: Assignment }> {
  const run = await farm.call('submitRun', { body: { yaml } });
  let last = await agent.take('test');
  for (let retry = 0; retry < 2; retry += 1) {
    await revoke(last);
    await farm.hurry();
    last = await agent.take('test');
  }
  return { id: run.id, last };
}

describe('the evidence of a revoked attempt', () => {
  it('is stored once and in order: lines, stages, kernels, results and measurements', async () => {
    const { id, last } = await submitHopeless();
    const { participantId, fence } = last;
    await agent.log(last, 'serial', 0, ['one', 'two']);
    await agent.events(last, 0, { type: 'stage', stage: 'test', status: 'started', detail: null });
    await revoke(last);
    const before = await runOf(id);
    expect(before).toMatchObject({ state: 'ended', verdict: 'infra' });
    const reasons = async () =>
      (await farm.call('getGrid', { query: { run: id, cells: 'none' } })).notes.map(({ reason }) => reason);
    expect(await reasons()).not.toContainEqual(expect.stringMatching(/came after that/));

    await agent.log(last, 'serial', 1, ['two', 'three']);
    const late: AttemptEvent[] = [
      { type: 'stage', stage: 'test', status: 'failed', detail: 'the lease ran out' },
      { type: 'result', result: sampleResult('p2p-functional', 'F01', { status: 'crash', signature: 'oops in f' }) },
      {
        type: 'measurement',
        suite: 'p2p-perf',
        test: 'P01',
        metric: { name: 'm', unit: 'ns', better: 'lower', samples: [1, 2], params: {} },
      },
      finished({ restored: true, lineCounts: { serial: 3 } }),
    ];
    await agent.events(last, 1, ...late);
    const numbered = late.map((event, index) => ({ seq: 1 + index, at: 1, event }));
    agent.send({ type: 'events', participantId, fence, events: numbered });
    agent.received.length = 0;
    await agent.acked(participantId, 'events', 5);

    // The grid was read before and must not show what it was then.
    expect(await reasons()).toContainEqual(expect.stringMatching(/came after that: crash/));
    const log = await farm.call('getLog', { params: { attempt: participantId }, query: { stream: 'serial' } });
    expect(log.lines.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    const detail = await detailOf(last);
    expect(detail.stages).toMatchObject([{ stage: 'test', status: 'failed' }]);
    expect(detail.measurements).toHaveLength(1);
    expect(detail.results.find(({ test }) => test === 'F01')).toMatchObject({
      status: 'crash',
      signature: 'oops in f',
      verdict: 'infra',
      reason: expect.stringMatching(/no sign of life.*came after that: crash/),
    });
    expect(detail.streams.find(({ stream }) => stream === 'serial')).toMatchObject({ lines: 3, expected: 3 });
  });

  it('changes no verdict, no job and no lease', async () => {
    const { id, last } = await submitHopeless();
    await revoke(last);
    const before = await runOf(id);
    const leases = () => farm.sql.rows('select * from lease order by fence');
    const untouched = await leases();
    await agent.events(
      last,
      0,
      { type: 'result', result: sampleResult('p2p-functional', 'F01', { status: 'crash', signature: 'oops in f' }) },
      finished({ failure: { class: 'kernel-crash', stage: 'test', message: 'oops', signature: 'oops in f' } }),
    );
    const after = await runOf(id);
    expect(after).toMatchObject({ state: 'ended', verdict: 'infra', counts: before.counts });
    expect(after.jobViews[0]).toMatchObject({ state: 'ended', verdict: 'infra' });
    const [, , attempt] = after.jobViews[0]?.attempts ?? [];
    expect(attempt).toMatchObject({ state: 'ended', failure: { class: 'infrastructure' }, restored: true });
    expect(await leases()).toEqual(untouched);
  });

  it('does not end the attempt that took its place', async () => {
    const run = await farm.call('submitRun', { body: { yaml } });
    const first = await agent.take('test');
    await revoke(first);
    await farm.hurry();
    const second = await agent.take('test');
    await agent.events(first, 0, finished());
    expect(await detailOf(second)).toMatchObject({ state: 'running' });
    expect(await runOf(run.id)).toMatchObject({ state: 'running' });
    await agent.events(second, 0, finished());
    expect(await runOf(run.id)).toMatchObject({ state: 'ended' });
  });

  it('still says that a machine was not restored, which quarantines it', async () => {
    const { last } = await submitHopeless();
    await revoke(last);
    expect((await machine()).desired).toBe('active');
    await agent.events(last, 0, finished({ restored: false }));
    expect(await machine()).toMatchObject({
      desired: 'quarantined',
      problem: expect.stringMatching(/could not restore it/),
    });
  });

  it('gives the run no bundle', async () => {
    await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
    const build = await agent.take('build');
    await revoke(build);
    const { sha256 } = await farm.bundle('in-time');
    const manifest = sampleManifest('too-late');
    await agent.events(
      build,
      0,
      { type: 'built', manifest, bundle: { sha256, sizeBytes: 5 }, cached: false },
      finished(),
    );
    expect(await farm.sql.one('select 1 from bundle where key = $1', [manifest.key])).toBeNull();
    const [view] = await farm.call('listBuilds', {});
    expect(view).toMatchObject({ manifest: null });
  });

  it('is refused from another agent and under another fence', async () => {
    await farm.call('submitRun', { body: { yaml } });
    const attempt = await agent.take('test');
    await revoke(attempt);
    const { participantId, fence } = attempt;
    const lines = [{ seq: 0, at: 1, text: 'x' }];
    const line = { type: 'log' as const, participantId, stream: 'serial' as const, lines };
    agent.send({ ...line, fence: fence - 1 });
    // That the attempt was taken away is said as well, before or after this.
    let drop = await agent.next('drop');
    if (drop.code === 'revoked') drop = await agent.next('drop');
    expect(drop).toMatchObject({ participantId, code: 'unknown' });
    const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
    other.send({ ...line, fence });
    expect(await other.next('drop')).toMatchObject({ participantId, code: 'unknown' });
    other.vanish();
  });
});

it('who lost the lease may neither accept nor decline', async () => {
  await farm.call('submitRun', { body: { yaml } });
  const { participantId, fence } = await agent.take('test');
  await revoke({ participantId });
  agent.send({ type: 'accepted', participantId, fence });
  expect(await agent.next('drop')).toMatchObject({ participantId, code: 'revoked' });
  agent.send({ type: 'declined', participantId, fence, reason: 'late' });
  expect(await agent.next('drop')).toMatchObject({ participantId, code: 'revoked' });
  expect((await detailOf({ participantId })).failure?.message).toMatch(/^agent lab (did not|gave no)/);
});
