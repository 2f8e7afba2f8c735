import { createHash } from 'node:crypto';
import {
  FARM_SUITE,
  MUTANT_RESULTS_FILE,
  type BundleManifest,
  type Mutant,
  type MutantResults,
} from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleManifest, sampleResult } from '../testing/samples.js';
import { tarOf } from '../testing/tar.js';
import { mergeMutants } from './merge-mutants.js';

const mutant = (number: number, state: Mutant['state'] = 'built'): Mutant => ({
  number,
  id: String(number).padStart(8, '0'),
  path: 'mm/hmm.c',
  line: 10 * number,
  kind: 'negate',
  function: 'walk',
  what: 'if (x) negated',
  state,
});
const result = (
  number: number,
  verdict: MutantResults['results'][number]['verdict'],
): MutantResults['results'][number] => ({
  id: String(number).padStart(8, '0'),
  verdict,
  test: verdict === 'killed' ? 'p2p-functional:F01' : null,
  how: verdict === 'killed' ? 'it failed' : null,
  tests: verdict === 'not-reached' ? 0 : 2,
});

describe('what attempts found out about mutants', () => {
  const LIST = {
    schema: 1 as const,
    total: 9,
    mutants: [mutant(1), mutant(2), mutant(3), mutant(4), mutant(5, 'refused')],
  };

  it('adds up: killed once is killed, lived once is alive, else no test came to it', () => {
    const merged = mergeMutants(LIST, [
      { machine: 'm1', results: [result(1, 'alive'), result(2, 'alive'), result(3, 'not-reached')] },
      { machine: 'm2', results: [result(1, 'killed'), result(2, 'not-reached'), result(3, 'not-reached')] },
    ]);
    expect(merged.mutants.map(({ number, state, machine, tests }) => [number, state, machine, tests])).toEqual([
      [2, 'alive', null, 2],
      [3, 'not-reached', null, 0],
      [4, 'not-run', null, 0],
      [1, 'killed', 'm2', 4],
      [5, 'refused', null, 0],
    ]);
    expect(merged.score).toBe(33);
    expect(merged.counts).toEqual({ killed: 1, alive: 1, 'not-reached': 1, 'not-run': 1, 'not-built': 0, refused: 1 });
  });

  it('has no score before one was tried, and takes no result of a mutant that is not in the kernel', () => {
    expect(mergeMutants(LIST, [{ machine: 'm1', results: [result(5, 'killed'), result(8, 'killed')] }])).toMatchObject({
      score: null,
      counts: { killed: 0, refused: 1 },
    });
  });
});

describe('a build with mutants', () => {
  let farm: TestFarm;
  let agent: FakeAgent;
  let token: string;
  beforeAll(async () => {
    farm = await TestFarm.start();
    token = await farm.token('agent', 'lab');
    agent = await farm.agent({ m1: 'BUS_ADDR' });
  });
  afterAll(async () => {
    agent.vanish();
    await farm.stop();
  });
  const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
  const submit = (yaml: string) => farm.call('submitRun', { body: { yaml } });

  it('is built with its budget, tried as long as it says, and never failed by a mutant that is killed', async () => {
    const { id: run } = await submit(
      'name: m\nbuilds:\n  - {name: b, series: [bundled], mutants: {count: 4, minutes: 7}}\nsuites: [p2p-functional]\n',
    );
    const build = await agent.take('build');
    expect(build.work).toMatchObject({ kind: 'build', mutants: { count: 4 } });
    const list = JSON.stringify({ schema: 1, total: 9, mutants: [mutant(1), mutant(2)] });
    const manifest: BundleManifest = {
      ...sampleManifest('mutants'),
      files: { 'mutants.json': { sha256: digest(list), sizeBytes: list.length } },
    };
    const tar = tarOf([
      ['manifest.json', JSON.stringify(manifest)],
      ['mutants.json', list],
    ]);
    await farm.upload(digest(tar), tar, token);
    const bundle = { sha256: digest(tar), sizeBytes: tar.length };
    const finished = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;
    await agent.events(build, 0, { type: 'built', manifest, bundle, cached: false }, finished);

    const test = await agent.take('test');
    expect(test.work).toMatchObject({ kind: 'test', mutants: { minutes: 7 } });
    const { buildId, release } = manifest;
    const sighting = {
      release,
      buildId,
      bootId: 'b',
      nonce: 'n'.repeat(32),
      proven: true,
      detail: null,
      commandLine: null,
    };
    const found = JSON.stringify({ schema: 1, isComplete: true, results: [result(1, 'killed'), result(2, 'alive')] });
    await farm.upload(digest(found), Buffer.from(found), token);
    const file = { suite: FARM_SUITE, name: MUTANT_RESULTS_FILE, sha256: digest(found), sizeBytes: found.length };
    const metric = { name: 'map', unit: 'ns', better: 'lower' as const, samples: [1, 2, 3], params: {} };
    await agent.log(test, 'serial', 0, [
      `[    0.000000] Linux version ${release} (peerlab@farm) #1 SMP`,
      '[   31.100000] BUG: KASAN: slab-use-after-free in hmm_walk+0x31/0x90',
      '[   31.100001] Read of size 8 at addr ffff888104a2c000 by task p2p-test/412',
      '[   31.100003] Call Trace:',
      '[   31.100007]  hmm_walk+0x31/0x90',
    ]);
    await agent.events(
      test,
      0,
      { type: 'kernel', sighting: { phase: 'candidate', ...sighting } },
      ...['F01', 'F02', 'F03'].map((name) => ({
        type: 'result' as const,
        result: sampleResult('p2p-functional', name),
      })),
      { type: 'measurement', suite: 'p2p-functional', test: 'F01', metric },
      { type: 'file', file },
      finished,
    );
    const detail = await farm.call('getRun', { params: { run } });
    expect(detail.verdict).toBe('pass');
    const buildOf = detail.jobViews[0]?.buildId ?? '';
    const mutants = await farm.call('getBuildMutants', { params: { build: buildOf } });
    expect(mutants).toMatchObject({ score: 50, total: 9, counts: { killed: 1, alive: 1 }, without: [], isCut: false });
    expect(mutants.attempts).toMatchObject([{ attemptId: test.attemptId, machine: 'm1', tried: 2, killed: 1 }]);
    expect((await farm.call('getGrid', { query: { run } })).metrics).toEqual([]);
    expect((await farm.request('getBuildCoverage', { params: { build: buildOf } })).status).toBe(404);
    // What a mutant does to a machine is no crash of the series.
    const searched = await farm.until(
      'the search for crashes',
      () => farm.call('listAttemptCrashes', { params: { attempt: test.attemptId } }),
      ({ pending }) => !pending,
    );
    expect(searched.crashes).toEqual([]);
  });

  it.each([
    ['without a series', 'builds: [{name: b, series: [], mutants: auto}]', 'builds.0.mutants'],
    ['with a budget of nothing', 'builds: [{name: b, series: [bundled], mutants: {count: 0}}]', 'builds.0.mutants'],
    ['as something else', 'builds: [{name: b, series: [bundled], mutants: many}]', 'builds.0.mutants'],
  ])('is refused %s', async (_, builds, path) => {
    const { problems } = await farm.call('checkRun', { body: { yaml: `name: m\n${builds}\n` } });
    expect(problems.map((problem) => problem.path)).toContainEqual(expect.stringContaining(path));
  });
});
