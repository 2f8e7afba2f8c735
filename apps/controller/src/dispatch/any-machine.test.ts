import type { Assignment } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let agent: FakeAgent;
let key: string;
beforeEach(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ 'v-a': 'BUS_ADDR', 'v-b': 'BUS_ADDR' });
  key = (await farm.bundle('any')).manifest.key;
});
afterEach(async () => {
  agent.vanish();
  await farm.stop();
});

const submit = (more = '', builds = `{name: b, bundle: ${key}}`) =>
  farm.call('submitRun', { body: { yaml: `name: r\nbuilds: [${builds}]\nsuites: [p2p-functional]\n${more}` } });
const drain = (machine: string) =>
  farm.call('setMachine', { params: { machine }, body: { desired: 'drained', reason: 'new cables' } });
const jobsOf = async (run: string) => (await farm.call('getRun', { params: { run } })).jobViews;
const finish = (attempt: Assignment, failed: 'passed' | 'infrastructure' = 'passed', restored = true) =>
  agent.events(attempt, 0, {
    type: 'finished',
    failure: failed === 'passed' ? null : { class: failed, stage: 'boot', message: 'no', signature: null },
    restored,
    lineCounts: {},
  });
/** Takes the next test; returns it and its machine. */
async function take(): Promise<{ attempt: Assignment; machine: string }> {
  const attempt = await agent.take('test');
  return { attempt, machine: attempt.work.kind === 'test' ? attempt.work.machine : '' };
}

describe('a job that any machine of its combination may take', () => {
  it('is one job, and has no machine before it starts', async () => {
    await Promise.all([drain('v-a'), drain('v-b')]);
    const { id } = await submit();
    const [job, ...others] = await jobsOf(id);
    expect([job?.machine, others.length]).toEqual([null, 0]);
    expect(job?.waiting).toMatch(/^no machine of .* can take it: v-a is drained; .*, v-b is drained/);
    const { columns } = await farm.call('getGrid', { query: { run: id } });
    expect(columns).toMatchObject([{ machine: null, state: 'queued' }]);
    const queue = await farm.call('listMachineQueue', { params: { machine: 'v-b' } });
    expect(queue.map(({ jobId }) => jobId)).toEqual([job?.id]);
    await farm.call('setMachine', { params: { machine: 'v-b' }, body: { desired: 'active', reason: 'done' } });
    const { attempt, machine } = await take();
    expect(machine).toBe('v-b');
    expect((await jobsOf(id))[0]?.machine).toBe('v-b');
    await finish(attempt);
  });

  it('goes to the machine that was not used for the longest time', async () => {
    const order: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      await submit();
      const { attempt, machine } = await take();
      order.push(machine);
      await finish(attempt);
    }
    expect(order).toEqual(['v-a', 'v-b', 'v-a', 'v-b']);
  });

  it('says what its machines do while it waits for one', async () => {
    await drain('v-b');
    await submit();
    const { attempt } = await take();
    const { id } = await submit();
    const [job] = await jobsOf(id);
    expect(job?.waiting).toMatch(/^next in line for a machine of .* \(v-a: busy, v-b: drained\)/);
    await finish(attempt);
    await finish((await take()).attempt);
  });

  it('is tried again on the other machine after trouble of the lab', async () => {
    const { id } = await submit();
    const first = await take();
    await finish(first.attempt, 'infrastructure');
    await farm.hurry();
    const second = await take();
    expect([first.machine, second.machine]).toEqual(['v-a', 'v-b']);
    await finish(second.attempt);
    expect(await jobsOf(id)).toMatchObject([{ machine: 'v-b', state: 'ended' }]);
  });

  it('goes on with the other machine when its own could not be restored, and ends when there is none', async () => {
    const { id } = await submit();
    const first = await take();
    await finish(first.attempt, 'infrastructure', false);
    await farm.hurry();
    const second = await take();
    expect([first.machine, second.machine]).toEqual(['v-a', 'v-b']);
    await finish(second.attempt, 'infrastructure', false);
    expect(await jobsOf(id)).toMatchObject([{ state: 'ended', verdict: 'infra' }]);
    const { machines } = await farm.call('getFleet', {});
    expect(machines.map(({ desired }) => desired)).toEqual(['quarantined', 'quarantined']);
  });

  it('is not taken by a machine that lost the label that the run asks for', async () => {
    await farm.sql.run(`update machine set labels = '{"rack": "1"}'`);
    await drain('v-a');
    const { id } = await submit('machines: {labels: {rack: "1"}}');
    await farm.until('the start', async () => (await jobsOf(id))[0]?.state === 'running');
    const { attempt } = await take();
    await finish(attempt);
    await farm.sql.run(`update machine set desired = 'drained'`);
    const waiting = await submit('machines: {labels: {rack: "1"}}');
    await farm.sql.run(`update machine set labels = '{}', desired = 'active'`);
    expect(await farm.dispatch.dispatch()).toBe(0);
    expect((await jobsOf(waiting.id))[0]?.waiting).toMatch(/^no machine that may take it has .* any more$/);
  });
});

describe('the boots of a run with repeat', () => {
  it('stay on the machine that took the first of them, while the other one is free', async () => {
    const other = (await farm.bundle('other')).manifest.key;
    const { id } = await submit('repeat: 2', `{name: a, bundle: ${key}}, {name: b, bundle: ${other}}`);
    const machines: string[] = [];
    for (let boot = 0; boot < 4; boot += 1) {
      const { attempt, machine } = await take();
      machines.push(machine);
      // Nothing else of the lane starts beside it.
      expect(await farm.dispatch.dispatch()).toBe(0);
      await finish(attempt);
    }
    expect(machines).toEqual(['v-a', 'v-a', 'v-a', 'v-a']);
    expect((await jobsOf(id)).map(({ build }) => build)).toEqual(['a', 'b', 'a', 'b']);
  });

  it('wait for that machine, and may begin anew elsewhere while none of them has a result', async () => {
    const { id } = await submit('repeat: 2');
    const lost = await take();
    await finish(lost.attempt, 'infrastructure');
    await farm.hurry();
    const first = await take();
    expect([lost.machine, first.machine]).toEqual(['v-a', 'v-b']);
    await drain('v-b');
    await finish(first.attempt);
    expect(await farm.dispatch.dispatch()).toBe(0);
    expect(await jobsOf(id)).toMatchObject([
      { state: 'ended', machine: 'v-b' },
      { state: 'queued', machine: null, waiting: 'v-b is drained; activate it to go on' },
    ]);
  });
});

it('a run that names machines tests each of them', async () => {
  const { id } = await submit('machines: {names: [v-a, v-b]}');
  const taken = [await take(), await take()];
  expect(taken.map(({ machine }) => machine).toSorted()).toEqual(['v-a', 'v-b']);
  expect((await jobsOf(id)).map(({ machine }) => machine)).toEqual(['v-a', 'v-b']);
  for (const { attempt } of taken) await finish(attempt);
});
