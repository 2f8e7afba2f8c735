import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_CATALOGUE } from '../testing/samples.js';

const LINUX = 'https://git.example.org/linux.git';
const ELSEWHERE = 'https://elsewhere.example.org/linux.git';
const COMMIT = 'c'.repeat(40);

let farm: TestFarm;
let builder: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start({ sourceHosts: { 'git.example.org': 'gitlab' } });
  const catalogue = { ...SAMPLE_CATALOGUE, repositories: [LINUX, ELSEWHERE] };
  builder = await farm.agent({ m1: 'BUS_ADDR' }, { buildSlots: 10, catalogue });
});
afterAll(async () => {
  builder.vanish();
  await farm.stop();
});

const mail = `From x Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH] change

---
--- a/mm/hmm.c
+++ b/mm/hmm.c
@@ -1 +1,2 @@
-a
+b
+c
`;

/** The links of a build of this source; `commit` = what its ref is found to be. */
async function linksOf(build: object, commit: string | null, suites: unknown[] = ['p2p-perf']) {
  const yaml = JSON.stringify({ name: 'links', suites, builds: [{ name: 'b', ...build }] });
  const run = await farm.call('submitRun', { body: { yaml } });
  const work = await builder.take('build');
  if (commit !== null) await builder.events(work, 0, { type: 'build-progress', percent: 0, text: 'commit', commit });
  const [row] = await farm.sql.rows<{ id: string }>('select id from build where run_id = $1', [run.id]);
  const links = await farm.call('getSourceLinks', { params: { build: row?.id ?? '' } });
  await farm.call('cancelRun', { params: { run: run.id } });
  return links;
}

it('lead to the commit that was built, with the files that the series changes and the folders of selftests', async () => {
  const git = { url: LINUX, ref: 'main' };
  const timers = { name: 'clock', kselftest: 'timers', matrix: { N: [1, 2] } };
  expect(await linksOf({ git, series: [{ mbox: mail }] }, COMMIT, ['p2p-perf', timers])).toEqual({
    page: { forge: 'gitlab', repository: 'https://git.example.org/linux', commit: COMMIT },
    why: null,
    changed: ['mm/hmm.c'],
    folders: { clock: 'tools/testing/selftests/timers' },
  });
});

it('are none, with the reason, where the line is not known to be there', async () => {
  const git = { url: LINUX, ref: 'main' };
  const none = (why: string) => ({ page: null, why: expect.stringContaining(why), changed: [], folders: {} });
  expect(await linksOf({ git }, null)).toEqual(none('its commit is not known'));
  expect(await linksOf({ git: { ...git, url: ELSEWHERE } }, COMMIT)).toEqual(none('not among sourceHosts'));
  expect(await linksOf({ series: [] }, null)).toEqual(none('not built from a git repository'));
  // Patches of the farm are known when it is built.
  expect(await linksOf({ git, series: ['bundled'] }, COMMIT)).toEqual(none('a patch of it is not stored'));
});
