import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const submit = (builds: string, more = '') =>
  farm.call('submitRun', { body: { yaml: `name: r\nbuilds: [${builds}]\nsuites: [p2p-functional]\n${more}` } });
const finish = (attempt: Awaited<ReturnType<FakeAgent['take']>>) =>
  agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
const stored = async (name: string) => `{name: ${name}, bundle: ${(await farm.bundle(name)).manifest.key}}`;
const jobsOf = async (run: string) =>
  (await farm.call('getRun', { params: { run } })).jobViews.filter(({ kind }) => kind === 'test');

describe('a run with repeat', () => {
  it('boots its builds in turns, and its dry run says how often', async () => {
    const builds = `${await stored('a')}, ${await stored('b')}`;
    const yaml = `name: r\nbuilds: [${builds}]\nsuites: [p2p-functional]\nrepeat: 3\n`;
    const { plan } = await farm.call('checkRun', { body: { yaml } });
    expect(plan.map(({ build, boots }) => [build, boots])).toEqual([
      ['a', 3],
      ['b', 3],
    ]);
    const run = await submit(builds, 'repeat: 3');
    const order: string[] = [];
    for (let boot = 0; boot < 6; boot += 1) {
      const attempt = await agent.take('test');
      const jobs = await jobsOf(run.id);
      order.push(jobs.find(({ attempts }) => attempts.some(({ id }) => id === attempt.participantId))?.build ?? '?');
      await finish(attempt);
    }
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('does not boot the build that is ready again before the turn of one that is not', async () => {
    const run = await submit(`${await stored('ready')}, {name: slow, series: []}`, 'repeat: 2');
    await finish(await agent.take('test'));
    const [, first, second] = await jobsOf(run.id).then((jobs) => [jobs[0], jobs[1], jobs[2]]);
    expect([first?.build, first?.state]).toEqual(['slow', 'blocked']);
    expect([second?.build, second?.state]).toEqual(['ready', 'queued']);
    expect(second?.waiting).toBe('waiting for its turn: builds take turns on m1, and slow is not built yet');
    // Another run may use the machine meanwhile.
    const other = await submit(await stored('other'));
    const attempt = await agent.take('test');
    expect((await jobsOf(other.id))[0]?.attempts[0]?.id).toBe(attempt.participantId);
    await finish(attempt);
    const build = await agent.take('build');
    await agent.events(build, 0, {
      type: 'finished',
      failure: { class: 'build', stage: 'build', message: 'no', signature: null },
      restored: null,
      lineCounts: {},
    });
    // What will not come has no turn.
    await finish(await agent.take('test'));
    expect((await jobsOf(run.id)).map(({ build: name, state }) => [name, state])).toEqual([
      ['ready', 'ended'],
      ['slow', 'ended'],
      ['ready', 'ended'],
      ['slow', 'ended'],
    ]);
  });

  it('is refused for numbers that nobody means', async () => {
    const response = await farm.request('submitRun', {
      body: { yaml: `name: r\nbuilds: [{name: b, series: []}]\nrepeat: 21\n` },
    });
    expect([response.status, await response.text()]).toEqual([422, expect.stringContaining('repeat')]);
  });
});
