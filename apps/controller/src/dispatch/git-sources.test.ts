import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_CATALOGUE } from '../testing/samples.js';

/** Kernels of other sources and bases than the farm's own: which builder gets them, and what the run says of them. */
const LINUX = 'https://git.example.org/linux.git';
const NEXT = 'https://git.example.org/next.git';
const [COMMIT, LATER] = ['a'.repeat(40), 'b'.repeat(40)];

let farm: TestFarm;
let old: FakeAgent;
let builder: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  // The first by name, and it has room for all builds.
  old = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'a-old', buildSlots: 10 });
  builder = await farm.agent(
    {},
    {
      name: 'b-new',
      buildSlots: 10,
      catalogue: { ...SAMPLE_CATALOGUE, repositories: [LINUX, NEXT], bases: ['7.2', '6.18'], configFiles: true },
    },
  );
});
afterAll(async () => {
  for (const agent of [old, builder]) agent.vanish();
  await farm.stop();
});

const yamlOf = (builds: string): string => `name: r\nsuites: [p2p-perf]\nbuilds:\n${builds}`;

it('goes to a builder that allows the repository, and not to one that knows no sources', async () => {
  const yaml = yamlOf(`  - {name: linux, git: {url: '${LINUX}', ref: main}, fragment: CONFIG_FOO=y}\n`);
  const run = await farm.call('submitRun', { body: { yaml } });
  const { work } = await builder.take('build');
  expect(work).toMatchObject({
    kind: 'build',
    series: [],
    source: { git: { url: LINUX, ref: 'main' } },
    fragment: 'CONFIG_FOO=y',
  });
  expect(old.received.filter(({ type }) => type === 'assign')).toEqual([]);
  await farm.call('cancelRun', { params: { run: run.id } });
});

it('goes to a builder that takes files of configurations, which may read this one, and the build names it', async () => {
  const content = Buffer.from('CONFIG_PCI=y\n');
  const configFile = createHash('sha256').update(content).digest('hex');
  await farm.upload(configFile, content);
  const yaml = yamlOf(`  - {name: theirs, series: [], configFile: ${configFile}}\n`);
  const run = await farm.call('submitRun', { body: { yaml } });
  const build = await builder.take('build');
  expect(build.work).toMatchObject({ kind: 'build', series: [], configFile });
  expect(old.received.filter(({ type }) => type === 'assign')).toEqual([]);
  const token = await farm.token('agent', 'b-new');
  expect((await farm.request('getArtifact', { params: { sha256: configFile } }, token)).status).toBe(200);
  const [{ id } = { id: '' }] = await farm.sql.rows<{ id: string }>('select id from build where run_id = $1', [run.id]);
  expect(await farm.call('getBuild', { params: { build: id } })).toMatchObject({ config: null, configFile });
  await farm.call('cancelRun', { params: { run: run.id } });
  // Kept as long as a run that names it.
  const failure = { class: 'canceled', stage: 'build', message: 'canceled', signature: null } as const;
  await builder.events(build, 0, { type: 'finished', failure, restored: true, lineCounts: {} });
  await farm.sql.run(`update artifact set created_at = created_at - interval '1000 days'`);
  await farm.sql.run(`update run set ended_at = ended_at - interval '1000 days' where id = $1`, [run.id]);
  const removed = async (): Promise<string[]> =>
    (await farm.call('planRetention', {})).removals.map(({ subject }) => subject);
  expect(await removed()).toContain(configFile);
  await farm.call('pinRun', { params: { run: run.id }, body: { pinned: true } });
  expect(await removed()).not.toContain(configFile);
});

it('goes to a builder that knows the base that is named, and the build says which it is', async () => {
  const run = await farm.call('submitRun', {
    body: { yaml: yamlOf(`  - {name: old, base: '7.2', series: [bundled]}\n`) },
  });
  const { work } = await builder.take('build');
  expect(work).toMatchObject({ kind: 'build', series: ['bundled'], source: { base: '7.2' } });
  expect(old.received.filter(({ type }) => type === 'assign')).toEqual([]);
  const [{ id } = { id: '' }] = await farm.sql.rows<{ id: string }>('select id from build where run_id = $1', [run.id]);
  expect((await farm.call('getBuild', { params: { build: id } })).source).toEqual({ kind: 'base', name: '7.2' });
  await farm.call('cancelRun', { params: { run: run.id } });
});

it('records the commit, for all builds of the run from the same ref, and repeats that one', async () => {
  const git = (ref: string): string => `git: {url: '${NEXT}', ref: ${ref}}`;
  const yaml = yamlOf(
    `  - {name: one, ${git('main')}}\n  - {name: two, ${git('main')}}\n  - {name: three, ${git('v1')}}\n`,
  );
  const run = await farm.call('submitRun', { body: { yaml } });
  const first = await builder.take('build');
  const say = (commit: string) =>
    ({ type: 'build-progress', percent: 0, text: `commit ${commit.slice(0, 12)}`, commit }) as const;
  await builder.events(first, 0, say(COMMIT));
  // Not believed: the branch moved, and the run tests what it found first.
  await builder.events(first, 1, say(LATER));
  const builds = await farm.sql.rows<{ id: string }>('select id from build where run_id = $1 order by position', [
    run.id,
  ]);
  const details = await Promise.all(builds.map(({ id }) => farm.call('getBuild', { params: { build: id } })));
  expect(details.map(({ name, source }) => [name, source])).toEqual([
    ['one', { kind: 'git', url: NEXT, ref: 'main', commit: COMMIT }],
    ['two', { kind: 'git', url: NEXT, ref: 'main', commit: COMMIT }],
    ['three', { kind: 'git', url: NEXT, ref: 'v1', commit: null }],
  ]);
  // Wherever a kernel is named.
  const grid = await farm.call('getGrid', { query: { run: run.id } });
  const gitOf = new Map(grid.columns.map((column) => [column.build.name, column.build.git]));
  expect(gitOf.get('two')).toEqual({ url: NEXT, ref: 'main', commit: COMMIT });
  expect(gitOf.get('three')).toEqual({ url: NEXT, ref: 'v1', commit: null });
  const { a, b } = await farm.call('getCompare', { query: { a: `${run.id}~one`, b: `${run.id}~three` } });
  expect([a.kernel.git?.commit, b.kernel.git?.commit]).toEqual([COMMIT, null]);
  const badge = await farm.request('getBadge', { params: { run: run.id } }, null);
  expect(await badge.text()).toContain(COMMIT);
  await farm.call('cancelRun', { params: { run: run.id } });
  const again = await farm.call('retryRun', { params: { run: run.id }, body: {} });
  const { spec, yaml: written } = await farm.call('getRun', { params: { run: again.id } });
  expect([written, ...spec.builds.map((build) => build.git?.ref)]).toEqual([null, COMMIT, COMMIT, 'v1']);
});

it('is refused where no builder allows it, with the place and what is allowed', async () => {
  const yaml = yamlOf(
    `  - name: x\n    git: {url: '${LINUX}x', ref: main}\n  - name: y\n    tarball: ${'a'.repeat(64)}\n    configFile: ${'b'.repeat(64)}\n`,
  );
  const { problems } = await farm.call('checkRun', { body: { yaml } });
  expect(problems).toMatchObject([
    { path: 'builds.1.tarball', line: 7, remedy: 'upload it first: peerlab upload FILE' },
    { path: 'builds.1.configFile', line: 8, remedy: 'upload it first: peerlab upload FILE' },
  ]);
  const one = await farm.call('checkRun', { body: { yaml: yaml.slice(0, yaml.indexOf('  - name: y')) } });
  expect(one.problems).toMatchObject([
    {
      path: 'builds.0.git.url',
      line: 5,
      message: expect.stringMatching(/is not allowed/),
      remedy: `did you mean "${LINUX}"?`,
    },
  ]);
});

it('is refused on a base that no builder knows, with the names of those that there are', async () => {
  const problemsOf = async (base: string) =>
    (await farm.call('checkRun', { body: { yaml: yamlOf(`  - {name: x, base: ${base}, series: []}\n`) } })).problems;
  expect(await problemsOf('newest')).toMatchObject([
    { path: 'builds.0.base', line: 4, message: 'there is no other base "newest"', remedy: 'other bases are 6.18, 7.2' },
  ]);
  expect(await problemsOf('7.2')).toMatchObject([
    { path: 'builds.0.base', message: expect.stringContaining('in quotes') },
  ]);
});
