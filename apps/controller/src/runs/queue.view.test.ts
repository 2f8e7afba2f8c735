import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleManifest } from '../testing/samples.js';
import { tarOf } from '../testing/tar.js';

let farm: TestFarm;
let agent: FakeAgent;
let key: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
  key = (await farm.bundle('line')).manifest.key;
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

const yaml = (more = '', machine = 'm1') =>
  `name: t\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [p2p-functional]\nmachines: {names: [${machine}]}\n${more}`;
const starts = async (text: string) => {
  const report = await farm.call('checkRun', { body: { yaml: text } });
  expect(report.problems).toEqual([]);
  return report.plan.map(({ start }) => start);
};
const submit = (text: string) => farm.call('submitRun', { body: { yaml: text } });
const waiting = async (run: { id: string }) =>
  (await farm.call('getRun', { params: { run: run.id } })).jobViews.map((job) => job.waiting);
const finish = (attempt: Awaited<ReturnType<FakeAgent['take']>>) =>
  agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
/** As if all attempts so far had begun so many minutes before they ended, or before now. */
const lasted = async (minutes: number) => {
  for (const table of ['attempt', 'participant']) {
    await farm.sql.run(
      `update ${table} set started_at = coalesce(ended_at, clock_timestamp()) - make_interval(mins => $1)`,
      [minutes],
    );
  }
};

describe('when a run could start', () => {
  it('is now on a free machine, and unknown in a line before anything comparable ran', async () => {
    expect(await starts(yaml())).toEqual([{ when: 'now', inMs: 0, text: 'now on m1', lastSeenAt: null }]);
    const first = await submit(yaml());
    const attempt = await agent.take('test');
    expect(await starts(yaml())).toEqual([
      { when: 'queue', inMs: null, text: 'next in line for m1', lastSeenAt: null },
    ]);
    const second = await submit(yaml());
    expect(await waiting(second)).toEqual(['next in line for m1']);
    expect(await starts(yaml())).toMatchObject([{ text: '2nd in line for m1' }]);
    await finish(attempt);
    await finish(await agent.take('test'));
    expect(await waiting(first)).toEqual([null]);
  });

  it('is what is left of the one that runs, and the median of those ahead; the more important first', async () => {
    await lasted(6);
    await submit(yaml());
    const attempt = await agent.take('test');
    await farm.sql.run(`update attempt set started_at = clock_timestamp() - interval '2 minutes' where id = $1`, [
      attempt.participantId,
    ]);
    const second = await submit(yaml());
    expect(await waiting(second)).toEqual(['next in line for m1, about 4 min']);
    const third = await submit(yaml());
    expect(await waiting(third)).toEqual(['2nd in line for m1, about 10 min']);
    expect(await starts(yaml())).toMatchObject([{ when: 'queue', text: '3rd in line for m1, about 16 min' }]);
    expect(await starts(yaml('priority: 90'))).toMatchObject([{ text: 'next in line for m1, about 4 min' }]);
    expect(await starts(yaml('', 'm2'))).toMatchObject([{ when: 'now' }]);
    // A suite that never ran there delays the next one by nobody knows how long.
    const odd = await submit(yaml().replace('[p2p-functional]', '[p2p-perf]'));
    expect(await waiting(odd)).toEqual(['3rd in line for m1, about 16 min']);
    expect(await starts(yaml())).toEqual([{ when: 'queue', inMs: null, text: '4th in line for m1', lastSeenAt: null }]);
    await farm.call('cancelRun', { params: { run: odd.id } });
    for (const run of [second, third]) await farm.call('cancelRun', { params: { run: run.id } });
    await finish(attempt);
  });

  it('waits for the build where there is one, and says what stands in the way for good', async () => {
    const build = yaml().replace(`bundle: ${key}`, 'series: [bundled]');
    expect(await starts(build)).toEqual([{ when: 'build', inMs: null, text: 'after its build', lastSeenAt: null }]);
    await farm.call('setMachine', { params: { machine: 'm1' }, body: { desired: 'drained', reason: 'a test' } });
    expect(await starts(yaml())).toEqual([
      { when: 'blocked', inMs: null, text: 'm1 is drained; activate it to go on', lastSeenAt: null },
    ]);
    await farm.call('setMachine', { params: { machine: 'm1' }, body: { desired: 'active', reason: 'a test' } });
    const run = await submit(build);
    const attempt = await agent.take('build');
    const report = (seq: number, percent: number, at: number): Promise<void> => {
      const event = { type: 'build-progress', percent, text: 'CC' } as const;
      agent.send({ type: 'events', ...attempt, events: [{ seq, at, event }] });
      return agent.acked(attempt.participantId, 'events', seq + 1);
    };
    // What came before the compiler was quick, and the agent's clock is wrong.
    const began = Date.now() - 86_400_000;
    await report(0, 10, began);
    expect(await waiting(run)).toEqual([null, 'waiting for the build b']);
    // 15 % in two minutes: the other 75 take ten.
    await report(1, 25, began + 120_000);
    expect(await waiting(run)).toEqual([null, 'waiting for the build b, about 10 min']);
    // It goes on counting down until the next report.
    await farm.sql.run(
      `update attempt set progress = jsonb_set(progress, '{storedAtMs}', to_jsonb((progress ->> 'storedAtMs')::float8 - 180000))
       where id = $1`,
      [attempt.participantId],
    );
    expect(await waiting(run)).toEqual([null, 'waiting for the build b, about 7 min']);
    const { jobViews } = await farm.call('getRun', { params: { run: run.id } });
    expect(jobViews[0]?.attempts[0]?.progress).toEqual({ percent: 25, text: 'CC', cached: false });
  });

  it('counts the slots of an agent that limits how much it runs at once', async () => {
    const small = await farm.agent({ s1: 'BUS_ADDR', s2: 'BUS_ADDR' }, { name: 'small', testSlots: 1 });
    await submit(yaml('', 's1'));
    const attempt = await small.take('test');
    await small.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
    await lasted(6);
    await submit(yaml('', 's1'));
    await small.take('test');
    const [start] = await starts(yaml('', 's2'));
    expect(start).toMatchObject({
      when: 'queue',
      text: expect.stringMatching(/^s2 is free, .* 1 of at most 1 tests, about 6 min$/) as unknown,
    });
    small.vanish();
  });
});

describe('how long a kernel takes that a run needs', () => {
  const unbuilt = (name: string, series: string): string =>
    `name: t\nbuilds: [{name: ${name}, series: ${series}}]\nsuites: [p2p-functional]\nmachines: {names: [m2]}\n`;
  const builds = async (text: string) => (await farm.call('checkRun', { body: { yaml: text } })).builds;

  it('is looked up: built already, or by builds of this size, never by a mixture of both', async () => {
    const mutant = unbuilt('mine', '[{mutant: lost-page}]');
    expect(await builds(mutant)).toEqual([{ build: 'mine', basis: 'none', ms: null, samples: 0 }]);
    // The build of the test before goes on in the only slot of the first agent.
    const builder = await farm.agent({}, { name: 'builder' });
    const manifest = sampleManifest('mutated');
    const content = tarOf([['manifest.json', JSON.stringify(manifest)]]);
    const bundle = { sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
    await farm.upload(bundle.sha256, content);
    const build = async (cached: boolean, minutes: number): Promise<void> => {
      const { id } = await submit(mutant);
      const attempt = await builder.take('build');
      const built = { type: 'built', manifest, bundle, cached } as const;
      await builder.events(attempt, 0, built, { type: 'finished', failure: null, restored: true, lineCounts: {} });
      await farm.sql.run(`update attempt set started_at = ended_at - make_interval(mins => $2) where id = $1`, [
        attempt.participantId,
        minutes,
      ]);
      const { jobViews } = await farm.call('getRun', { params: { run: id } });
      expect(jobViews[0]).toMatchObject({ state: 'ended', attempts: [{ progress: { percent: 100, cached } }] });
      await farm.call('cancelRun', { params: { run: id } });
    };
    await build(false, 22);
    await build(true, 1);
    expect(await builds(mutant)).toEqual([{ build: 'mine', basis: 'stored', ms: 60_000, samples: 1 }]);
    expect(await builds(unbuilt('other', '[{mutant: another}]'))).toEqual([
      { build: 'other', basis: 'size', ms: 22 * 60_000, samples: 1 },
    ]);
    expect(await builds(unbuilt('base', '[]'))).toMatchObject([{ basis: 'other', ms: 22 * 60_000 }]);
    builder.vanish();
  });
});
