import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../testing/eventually.js';
import { TestFarm } from '../testing/farm.js';
import { SAMPLE_CATALOGUE, sampleManifest } from '../testing/samples.js';
import { tarOf } from '../testing/tar.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm?.stop());

const OLD = 'a'.repeat(64);
const NEW = 'b'.repeat(64);
const YAML = 'name: t\nbuilds: [{name: mine, series: [bundled]}]\nsuites: [p2p-functional]\nmachines: {}\n';
const builder = (name: string, recipe?: string) =>
  farm.agent(
    { [`${name}-m`]: 'BUS_ADDR' },
    { name, catalogue: { ...SAMPLE_CATALOGUE, ...(recipe === undefined ? {} : { recipe }) } },
  );
const basis = async () => (await farm.call('checkRun', { body: { yaml: YAML } })).builds[0]?.basis;

it('a kernel counts as built already while a connected builder would build it by the same recipe', async () => {
  const first = await builder('first', OLD);
  const manifest = sampleManifest('by the old recipe');
  const content = tarOf([['manifest.json', JSON.stringify(manifest)]]);
  const bundle = { sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
  await farm.upload(bundle.sha256, content);
  await farm.call('submitRun', { body: { yaml: YAML } });
  const attempt = await first.take('build');
  const built = { type: 'built', manifest, bundle, cached: false, recipe: OLD } as const;
  await first.events(attempt, 0, built, { type: 'finished', failure: null, restored: true, lineCounts: {} });
  expect(await basis()).toBe('stored');

  first.vanish();
  const changed = await builder('second', NEW);
  await eventually('only the builder with the new recipe is connected', basis, (found) => found === 'size');

  changed.vanish();
  const older = await builder('third');
  await eventually('a builder that tells no recipe is taken for unchanged', basis, (found) => found === 'stored');

  await farm.sql.run('update build set recipe = null');
  older.vanish();
  await builder('fourth', OLD);
  await eventually('what was built before recipes were recorded is not known', basis, (found) => found === 'size');
});
