import type { Assignment, AttemptEvent, RunDetail } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sql } from '../platform/database/sql.js';
import { JobService } from '../runs/job.service.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
let [left, right]: FakeAgent[] = [];
let [base, patched] = ['', ''];
beforeEach(async () => {
  farm = await TestFarm.start();
  left = await farm.agent({ 'v-a': 'BUS_ADDR', 'v-c': 'THRU_HOST_BRIDGE' }, { name: 'left' });
  right = await farm.agent({ 'v-b': 'BUS_ADDR' }, { name: 'right', buildSlots: 0 });
  base = (await farm.bundle('base')).manifest.key;
  patched = (await farm.bundle('patched')).manifest.key;
});
afterEach(async () => {
  left?.vanish();
  right?.vanish();
  await farm.stop();
});

const builds = (): string => `builds: [{name: base, bundle: ${base}}, {name: patched, bundle: ${patched}}]`;
const submit = async (text: string): Promise<string> =>
  (await farm.call('submitRun', { body: { yaml: `name: pair\nsuites: [p2p-functional]\n${text}` } })).id;
const PAIR = `roles:
  - {name: client, machines: {names: [v-a]}}
  - {name: server, machines: {names: [v-b]}}
`;
const detail = (run: string): Promise<RunDetail> => farm.call('getRun', { params: { run } });
const jobsOf = async (run: string): Promise<RunDetail['jobViews']> => (await detail(run)).jobViews;
const agentOf = ({ work }: Assignment): FakeAgent | undefined =>
  work.kind === 'test' && work.machine === 'v-b' ? right : left;
const finished = (infra = false): AttemptEvent => ({
  type: 'finished',
  failure: infra ? { class: 'infrastructure', stage: 'boot', message: 'no', signature: null } : null,
  restored: true,
  lineCounts: {},
});
const finish = async (...parts: Assignment[]): Promise<void> => {
  for (const part of parts) await agentOf(part)?.events(part, 0, finished());
};
const takeBoth = async (): Promise<[Assignment, Assignment]> => {
  const [client, server] = [await left?.take('test'), await right?.take('test')];
  if (client === undefined || server === undefined) throw new Error('an agent is missing');
  return [client, server];
};
const hold = (machine: string, desired: 'drained' | 'active') =>
  farm.call('setMachine', { params: { machine }, body: { desired, reason: 'cables' } });
const leased = async (): Promise<string[]> =>
  (
    await farm.sql.rows<{ machine: string }>('select machine from lease where released_at is null order by machine')
  ).map(({ machine }) => machine);

describe('a run with roles', () => {
  it('tests every kernel of the one against every kernel of the other, each with its own bundle', async () => {
    const roles = `roles:
  - {name: client, machines: {names: [v-a]}, builds: [base, patched]}
  - {name: server, machines: {names: [v-b]}, builds: [base, patched]}
`;
    const run = await submit(`${builds()}\n${roles}`);
    const seen: string[] = [];
    const bundles = new Map<string, Set<string>>();
    for (let round = 0; round < 4; round += 1) {
      const [client, server] = await takeBoth();
      for (const part of [client, server]) {
        if (part.work.kind !== 'test') throw new Error('not a test');
        const { buildName, manifest } = part.work;
        bundles.set(buildName, (bundles.get(buildName) ?? new Set()).add(manifest.key));
      }
      expect(server.peers).toMatchObject([{ role: 'client', machine: 'v-a' }]);
      expect(client.peers).toMatchObject([{ build: server.work.kind === 'test' ? server.work.buildName : '' }]);
      seen.push(`${client.work.buildName} ${server.work.buildName}`);
      await finish(client, server);
      // The controller drops a connection that says nothing for too long; neither agent holds anything now.
      for (const agent of [left, right]) agent?.heartbeat();
    }
    expect([...bundles].map(([name, keys]) => [name, keys.size])).toEqual([
      ['base', 1],
      ['patched', 1],
    ]);
    expect(new Set([...bundles.values()].flatMap((keys) => [...keys])).size).toBe(2);
    expect(seen).toEqual(['base base', 'base patched', 'patched base', 'patched patched']);
    const { columns } = await farm.call('getGrid', { query: { run } });
    expect(columns.map(({ build, combination }) => [build.name, combination.identity.peers?.[0]?.build])).toEqual([
      ['base', 'base'],
      ['patched', 'base'],
      ['base', 'patched'],
      ['patched', 'patched'],
    ]);
  });

  it('boots the same kernel on both sides where it names no other', async () => {
    const run = await submit(`${builds()}\n${PAIR}`);
    expect(await jobsOf(run)).toHaveLength(2);
    const [client, server] = await takeBoth();
    expect([client.work.buildName, server.work.buildName]).toEqual(['base', 'base']);
    await finish(client, server);
  });

  it('takes both machines or none, and says for which role it lacks one', async () => {
    await hold('v-a', 'drained');
    const single = await submit(`builds: [{name: base, bundle: ${base}}]\nmachines: {names: [v-b]}\n`);
    const running = await right?.take('test');
    await hold('v-a', 'active');
    const run = await submit(`builds: [{name: base, bundle: ${base}}]\n${PAIR}`);
    expect(await farm.dispatch.dispatch()).toBe(0);
    expect(await leased()).toEqual(['v-b']);
    expect(await jobsOf(run)).toMatchObject([
      { state: 'queued', waiting: expect.stringMatching(/^waits for a machine for role server: v-b is busy/) },
    ]);
    if (running !== undefined) await finish(running);
    await finish(...(await takeBoth()));
    expect((await detail(run)).state).toBe('ended');
    expect((await detail(single)).state).toBe('ended');
  });

  it('keeps a free machine from jobs behind it once it is the first in line for the other one', async () => {
    const one = `builds: [{name: base, bundle: ${base}}]\n`;
    await hold('v-a', 'drained');
    await submit(`${one}machines: {names: [v-b]}\n`);
    const running = await right?.take('test');
    const ahead = await submit(`${one}machines: {names: [v-b]}\n`);
    const pair = await submit(`${one}${PAIR}`);
    const behind = await submit(`${one}machines: {names: [v-a]}\n`);
    // Somebody stands before it at v-b: v-a is not kept.
    await hold('v-a', 'active');
    const first = await left?.take('test');
    expect(first?.runId).toBe(behind);
    const later = await submit(`${one}machines: {names: [v-a]}\n`);
    if (running !== undefined) await finish(running);
    const second = await right?.take('test');
    expect(second?.runId).toBe(ahead);
    // Now it is the first in line at both.
    if (first !== undefined) await finish(first);
    expect(await farm.dispatch.dispatch()).toBe(0);
    expect(await leased()).toEqual(['v-b']);
    if (second !== undefined) await finish(second);
    const [client, server] = await takeBoth();
    expect([client.runId, server.runId]).toEqual([pair, pair]);
    await finish(client, server);
    const last = await left?.take('test');
    expect(last?.runId).toBe(later);
    if (last !== undefined) await finish(last);
  });

  it('waits for the kernel of any of its roles', async () => {
    const run = await submit(
      `builds: [{name: one, series: []}, {name: base, bundle: ${base}}]\n${PAIR.replace('server,', 'server, builds: [base],')}`,
    );
    const tests = (await jobsOf(run)).filter(({ kind }) => kind === 'test');
    expect(tests.map(({ state, waiting }) => `${state} ${waiting?.slice(0, 25) ?? ''}`)).toEqual([
      'blocked waiting for the build one',
      expect.stringMatching(/^(running|queued)/),
    ]);
  });

  it('starts when the kernels of two roles are built at the same moment', async () => {
    await hold('v-a', 'drained');
    const roles = PAIR.replace('client,', 'client, builds: [one],').replace('server,', 'server, builds: [two],');
    const run = await submit(`builds: [{name: one, series: []}, {name: two, series: []}]\n${roles}`);
    const ids = await farm.sql.rows<{ id: string }>('select id from build where run_id = $1 order by position', [run]);
    const jobs = farm.server.app.get(JobService);
    /** As the end of a build does, in one transaction. */
    const ready = async (id: string, last: () => Promise<void>): Promise<void> =>
      farm.server.app.get(Sql).transaction(async (tx) => {
        await jobs.lockBlockedBy(tx, id);
        await tx.run(`update build set state = 'ready', bundle_key = $2 where id = $1`, [id, base]);
        await jobs.unblock(tx, id);
        await last();
      });
    let isSecondDone = false;
    let second: Promise<void> | null = null;
    await ready(ids[0]?.id ?? '', async () => {
      second = ready(ids[1]?.id ?? '', () => Promise.resolve()).then(() => void (isSecondDone = true));
      await farm.until('the second one waits, or is done', async () =>
        isSecondDone ? true : farm.sql.exists('select 1 from pg_locks where not granted'),
      );
    });
    await second;
    expect((await jobsOf(run)).filter(({ kind }) => kind === 'test')).toMatchObject([{ state: 'queued' }]);
  });

  it('has machines that share a label, and is refused when there are none', async () => {
    await farm.sql.run(
      `update machine set labels = jsonb_build_object('switch', case name when 'v-b' then '2' else '1' end)`,
    );
    const roles = `roles: [{name: client, machines: {labels: {}}}, {name: server}]\nrelation: {sameLabels: [switch]}\nmachines: {each: true}\n`;
    const run = await submit(`builds: [{name: base, bundle: ${base}}]\n${roles}`);
    const jobs = (
      await farm.sql.rows<{ machines: string }>(
        `select string_agg(o.only_machine, ' ' order by o.position) as machines from job_role o join job j on j.id = o.job_id
       where j.run_id = $1 group by j.id order by 1`,
        [run],
      )
    ).map(({ machines }) => machines);
    expect(jobs).toEqual(['v-a v-c', 'v-c v-a']);
    await expect(submit(`${builds()}\n${PAIR}relation: {sameLabels: [switch]}\n`)).rejects.toThrow(
      /no 2 different machines with the same switch for the roles client and server/,
    );
    await expect(
      submit(`${builds()}\nroles: [{name: a, machines: {names: [v-a]}}, {name: b, machines: {names: [v-a]}}]\n`),
    ).rejects.toThrow(/no 2 different machines for the roles a and b/);
    await expect(submit(`${builds()}\n${PAIR.replace('server,', 'server, rdmaDevice: mlx5_0,')}`)).rejects.toThrow(
      /has the RDMA device mlx5_0/,
    );
  });

  it('lets each agent read the bundle of its own role, and no other one', async () => {
    const roles = PAIR.replace('client,', 'client, builds: [base],').replace('server,', 'server, builds: [patched],');
    await submit(`${builds()}\n${roles}`);
    const [client, server] = await takeBoth();
    const digests = [client, server].map(({ work }) => (work.kind === 'test' ? work.bundle.sha256 : ''));
    expect(new Set(digests).size).toBe(2);
    const status: Record<string, number[]> = {};
    for (const name of ['left', 'right']) {
      const token = await farm.token('agent', name);
      const answers = digests.map((sha256) => farm.request('getArtifact', { params: { sha256 } }, token));
      status[name] = (await Promise.all(answers)).map((answer) => answer.status);
    }
    expect(status).toEqual({ left: [200, 403], right: [403, 200] });
    await finish(client, server);
  });

  it('is in the queue of each machine that it waits for, and is found by each that it ran on', async () => {
    await hold('v-a', 'drained');
    const run = await submit(`builds: [{name: base, bundle: ${base}}]\n${PAIR}`);
    for (const machine of ['v-a', 'v-b']) {
      expect(await farm.call('listMachineQueue', { params: { machine } })).toMatchObject([{ run: { id: run } }]);
    }
    await hold('v-a', 'active');
    await finish(...(await takeBoth()));
    for (const machine of ['v-a', 'v-b', 'v-c']) {
      const runs = await farm.call('listRuns', { query: { machine } });
      expect(runs.map(({ id }) => id)).toEqual(machine === 'v-c' ? [] : [run]);
    }
  });

  it('is repeated as one job, with the kernels that it had', async () => {
    const roles = PAIR.replace('server,', 'server, builds: [patched],');
    const run = await submit(`${builds()}\n${roles}`);
    for (let round = 0; round < 2; round += 1) await finish(...(await takeBoth()));
    const job = (await jobsOf(run))[0];
    const again = await farm.call('retryJob', { params: { job: job?.id ?? '' } });
    const [client, server] = await takeBoth();
    expect([client.runId, client.work.buildName, server.work.buildName]).toEqual([again.id, 'base', 'patched']);
    await finish(client, server);
    expect((await detail(again.id)).jobs.total).toBe(1);
  });

  it('shows in its dry run what each role would do, and when', async () => {
    const yaml = `name: pair\nsuites: [p2p-functional]\n${builds()}\n${PAIR.replace('server,', 'server, builds: [patched],')}`;
    const { ok, plan } = await farm.call('checkRun', { body: { yaml } });
    expect(ok).toBe(true);
    expect(plan).toHaveLength(2);
    expect(plan[0]).toMatchObject({
      build: 'base',
      roles: [
        { role: 'client', build: 'base', machines: ['v-a'] },
        { role: 'server', build: 'patched', machines: ['v-b'] },
      ],
      start: { when: 'now', text: 'now on v-a and v-b' },
    });
  });
});
