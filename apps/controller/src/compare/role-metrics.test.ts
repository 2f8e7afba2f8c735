import {
  learnNoise,
  renderComparison,
  renderReport,
  reportOfRun,
  sizeSeries,
  type AttemptEvent,
} from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNoise } from '../grid/stored-noise.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { takePair, type PairAttempt } from '../testing/pair-attempt.js';

/** Both roles report metrics of one name; a job on one machine reports it, too. */
const METRIC = { suite: 'p2p-functional', name: 'ib_write_bw.average.64', unit: 'MiB/s', better: 'higher' } as const;
const FINISHED: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
const figure = (sample: number): AttemptEvent => ({
  type: 'measurement',
  suite: METRIC.suite,
  test: 'alias_read',
  metric: { name: METRIC.name, unit: METRIC.unit, better: METRIC.better, samples: [sample], params: { bytes: 64 } },
});

let farm: TestFarm;
let agents: FakeAgent[];
/** Of server and client, who boot kernel 1 of theirs; the server of the last pair boots kernel 2. */
let pairs: (PairAttempt & { combination: string })[];
let alone: string;
/** Ids of the kernels. */
let [server1, server2, client1, client2, unknown] = ['', '', '', '', ''];
beforeAll(async () => {
  farm = await TestFarm.start();
  const keyOf = async (name: string): Promise<string> => (await farm.bundle(name)).manifest.key;
  const lab = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'lab' });
  const other = await farm.agent({ m2: 'BUS_ADDR' }, { name: 'other' });
  const third = await farm.agent({ m3: 'BUS_ADDR' }, { name: 'third' });
  agents = [lab, other, third];
  [server1, server2] = [await keyOf('server-1'), await keyOf('server-2')];
  [client1, client2, unknown] = [await keyOf('client-1'), await keyOf('client-2'), await keyOf('client-unknown')];
  const yaml = `name: alone\nbuilds: [{name: b, bundle: ${server1}}]\nsuites: [${METRIC.suite}]\nmachines: {names: [m3]}\n`;
  alone = (await farm.call('submitRun', { body: { yaml } })).id;
  await third.events(await third.take('test'), 0, figure(5), FINISHED);
  await farm.sql.run(`update machine set desired = 'drained' where name = 'm3'`);
  const pairOf = async (server: string, client: string, ofServer: number, ofClient: number) => {
    const pair = await takePair(farm, server, lab, other, client);
    await lab.events(pair.server, 0, figure(ofServer), FINISHED);
    await other.events(pair.client, 0, figure(ofClient), FINISHED);
    const { columns } = await farm.call('getGrid', { query: { run: pair.run } });
    return { ...pair, combination: columns[0]?.combination.hash ?? '' };
  };
  pairs = [
    await pairOf(server1, client1, 10, 20),
    await pairOf(server1, client1, 11, 24),
    await pairOf(server2, client1, 100, 300),
  ];
  await farm.sql.run(`update bundle set manifest = manifest - 'buildId' where key = $1`, [unknown]);
});
afterAll(async () => {
  for (const agent of agents) agent.vanish();
  await farm.stop();
});

/** Lets the last pair have booted other kernels, under the same names. */
async function rebuild(server: string, client: string): Promise<void> {
  await farm.sql.run(`update build set bundle_key = case name when 'b' then $2 else $3 end where run_id = $1`, [
    runOf(2),
    server,
    client,
  ]);
}

const runOf = (pair: number): string => pairs[pair]?.run ?? '';
const hash = (): string => pairs[0]?.combination ?? '';

describe('a metric that two roles of an attempt report', () => {
  it('is a row of the grid for each, and another one for the jobs with one role, which have none', async () => {
    const { metrics } = await farm.call('getGrid', { query: { run: runOf(0) } });
    expect(metrics.map(({ name, role, values }) => [name, role, values.map((value) => value?.median)])).toEqual([
      [METRIC.name, 'client', [20]],
      [METRIC.name, 'server', [10]],
    ]);
    const { metrics: newest, columns } = await farm.call('getGrid', { query: {} });
    expect(newest.map(({ role }) => role)).toEqual([undefined, 'client', 'server']);
    const at = columns.findIndex(({ runId }) => runId === alone);
    expect(newest.map(({ values }) => values[at]?.median)).toEqual([5, undefined, undefined]);
    const own = await farm.request('getGrid', { query: { run: alone } });
    const answer = (await own.json()) as { metrics: object[] };
    expect(answer.metrics.map((metric) => Object.keys(metric))).toEqual([
      ['suite', 'test', 'name', 'unit', 'better', 'noise', 'values'],
    ]);
  });

  it('is one of the metrics by kernel for each', async () => {
    const { metrics } = await farm.call('getKernelMetrics', { query: { combination: hash() } });
    expect(metrics.map(({ role, values }) => [role, values.filter((value) => value !== null).length])).toEqual([
      ['client', 2],
      ['server', 2],
    ]);
  });

  it('is compared with that of the same role, and has a series by message size for each', async () => {
    const comparison = await farm.call('getCompare', { query: { a: runOf(0), b: `${runOf(2)}~b` } });
    expect(comparison.metrics.map(({ role, a, b, ratio }) => [role, a?.median, b?.median, ratio?.value])).toEqual([
      ['client', 20, 300, expect.closeTo(15)],
      ['server', 10, 100, expect.closeTo(10)],
    ]);
    expect(comparison.metrics.map(({ a, b }) => [a?.n, b?.n])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(sizeSeries(comparison.metrics).map(({ series, role, points }) => [series, role, points.length])).toEqual([
      ['ib_write_bw.average', 'client', 1],
      ['ib_write_bw.average', 'server', 1],
    ]);
    const text = renderComparison(comparison);
    for (const role of ['client', 'server']) expect(text).toContain(`| p2p-functional/${METRIC.name} (${role}) (MiB/s`);
    const ordinary = await farm.call('getCompare', { query: { a: alone, b: alone } });
    expect(ordinary.metrics.map((metric) => Object.keys(metric).includes('role'))).toEqual([false]);
  });

  it('is a line of the report for each', async () => {
    const [run, grid, fleet] = await Promise.all([
      farm.call('getRun', { params: { run: runOf(0) } }),
      farm.call('getGrid', { query: { run: runOf(0) } }),
      farm.call('getFleet', {}),
    ]);
    const report = reportOfRun(run, grid, fleet.machines);
    expect(report.machines[0]?.rows.map(({ name, role, values }) => [name, role, values[0]?.median])).toEqual([
      [METRIC.name, 'client', 20],
      [METRIC.name, 'server', 10],
    ]);
    const text = renderReport(report);
    for (const role of ['client', 'server']) expect(text).toContain(`| ${METRIC.name} (${role}) | MiB/s`);
  });

  it('has noise of its own, of boots in which all roles boot the same kernels', async () => {
    const roles = ['client', 'server', null];
    const keys = roles.map((role) => ({ ...METRIC, role, combination: hash() }));
    const boots = (machine: string, ...values: number[]) =>
      learnNoise(
        values.map((value, run) => ({ attempt: String(run), run: String(run), machine, value, buildId: 'x' })),
      );
    const ofFirstTwo = [boots('m1', 10, 11), boots('m2', 20, 24)];
    const others: [string, string][] = [
      [server2, client1],
      [server1, client2],
      [server1, unknown],
    ];
    for (const [server, client] of others) {
      await rebuild(server, client);
      expect([...(await readNoise(farm.sql, keys)).values()].toSorted(byRuns)).toEqual(ofFirstTwo.map(closeTo));
    }
    await rebuild(server1, client1);
    const ofAll = [boots('m1', 10, 11, 100), boots('m2', 20, 24, 300)].toSorted(byRuns);
    expect([...(await readNoise(farm.sql, keys)).values()].toSorted(byRuns)).toEqual(ofAll.map(closeTo));
  });

  it('is of one kernel on both sides only where all roles boot the same', async () => {
    const why = async (): Promise<(string | null)[]> => {
      const { metrics } = await farm.call('getCompare', { query: { a: runOf(0), b: `${runOf(2)}~b` } });
      return metrics.map((metric) => metric.why);
    };
    const found = [];
    for (const client of [client1, client2, unknown]) {
      await rebuild(server1, client);
      found.push(await why());
    }
    expect(found).toEqual([
      ['same-kernel', 'same-kernel'],
      ['few-boots', 'few-boots'],
      ['few-boots', 'few-boots'],
    ]);
  });

  it('is compared on each of the machines with the same hardware that measured it', async () => {
    // In the second pair the machines take each other's place.
    const swap = { m1: 'm2', m2: 'm1' };
    const attempt = pairs[1]?.attempt ?? '';
    await farm.sql.run(`update participant set machine = $2::jsonb ->> machine where attempt_id = $1`, [
      attempt,
      JSON.stringify(swap),
    ]);
    await farm.sql.run(`update job set machine = 'm2' where id = (select job_id from attempt where id = $1)`, [
      attempt,
    ]);
    const { twins } = await farm.call('getTwins', { query: { combination: hash() } });
    expect(twins?.machines.map(({ name }) => name)).toEqual(['m1', 'm2']);
    expect(twins?.metrics.map(({ role, spreads }) => [role, spreads.map((spread) => spread?.median)])).toEqual([
      ['client', [24, 160]],
      ['server', [55, 11]],
    ]);
    // Where the third machine is the client, no machine that is compared measured its figure.
    await farm.sql.run(`update participant set machine = 'm3' where role = 'client'`);
    const apart = await farm.call('getTwins', { query: { combination: hash() } });
    expect(apart.twins?.metrics.map(({ role }) => role)).toEqual(['server']);
  });
});

const byRuns = (a: ReturnType<typeof learnNoise>, b: typeof a): number => a.runs.squares - b.runs.squares;

/** Sums of logarithms are the same but for their rounding. */
const closeTo = ({ boots, runs }: ReturnType<typeof learnNoise>) => ({
  boots,
  runs: { ...runs, squares: expect.closeTo(runs.squares, 12) },
});
