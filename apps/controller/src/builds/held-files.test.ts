import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import { midRemoval } from '../testing/mid-removal.js';
import { SAMPLE_CATALOGUE } from '../testing/samples.js';

const FILE = Buffer.from('a file of a run');
const sha256 = createHash('sha256').update(FILE).digest('hex');

let farm: TestFarm;
beforeEach(async () => {
  farm = await TestFarm.start();
  await farm.agent({ m1: 'BUS_ADDR' }, { catalogue: { ...SAMPLE_CATALOGUE, configFiles: true, repositories: [] } });
  await farm.upload(sha256, FILE);
});
afterEach(() => farm.stop());

const BUILD = { name: 'b', series: ['bundled'] };
const SUITE = { name: 'mine', script: 'true', files: [{ name: 'data', artifact: sha256 }] };

it.each([
  ['a source', { builds: [{ name: 'b', tarball: sha256, series: [] }] }],
  ['a configuration', { builds: [{ ...BUILD, configFile: sha256 }] }],
  ['patches', { builds: [{ name: 'b', series: [{ artifact: sha256 }] }] }],
  ['a file of a suite', { builds: [BUILD], suites: [SUITE] }],
])('a run that names %s waits for retention that is removing it, and is refused then', async (_, spec) => {
  const submit = () => farm.request('submitRun', { body: { yaml: JSON.stringify({ name: 'late', ...spec }) } });
  const answer = await midRemoval(farm, sha256, submit);
  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({
    code: 'artifact-removed',
    detail: expect.stringContaining('upload it again'),
  });
  expect(await farm.call('listRuns', {})).toEqual([]);
});
