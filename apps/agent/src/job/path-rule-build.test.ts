import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BundleManifest, PathRule } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toyPatch, toySourcePatch } from '../fake/toy-kernel.js';
import { BUILDS_MS, ToyBuilder } from '../testing/toy-builder.js';
import { putPathRule } from './put-path-rule.js';

vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

describe('a kernel of a source with a rule for peer paths', () => {
  let toy: ToyBuilder;
  beforeEach(() => {
    toy = new ToyBuilder();
  });
  afterEach(() => toy.remove());

  const manifestOf = async (series: string): Promise<{ manifest: BundleManifest; log: string }> => {
    const build = await toy.build([{ mbox: series }]);
    const built = build.events.find((event) => event.type === 'built');
    if (built === undefined) throw new Error(`nothing was built: ${JSON.stringify(build.events.at(-1))}`);
    return { manifest: built.manifest, log: build.log('agent') };
  };

  it('says in its manifest what the series made of the rule, and in its log what is not predicted', async () => {
    const rule = 'static bool cpu_supports_p2pdma(void)\n{\n\treturn true;\n}\n';
    const { manifest, log } = await manifestOf(toyPatch('a rule', 'drivers/pci/p2pdma.c', null, rule));
    expect(manifest.pathRule?.hostBridges).toEqual([]);
    expect(manifest.pathRule?.changed).toContainEqual({
      what: 'cpu',
      why: 'cpu_supports_p2pdma() is not as the farm knows it',
    });
    expect(log).toContain('not predicted: cpu_supports_p2pdma() is not as the farm knows it');
    const [bundle] = [...toy.uploads.values()].filter((bytes) => bytes.includes('vmlinuz'));
    expect(bundle?.includes('cpu_supports_p2pdma() is not as the farm knows it')).toBe(true);
  });

  it('says nothing of it where the source has none', async () => {
    expect((await manifestOf(toySourcePatch('more', 2))).manifest.pathRule).toBeUndefined();
  });
});

describe('the manifest of a bundle', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'peerlab-manifest-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const rule: PathRule = { hostBridges: [{ vendor: '8086', device: null, sameOnly: false }], changed: [] };
  const put = (claimed: PathRule | undefined, real: PathRule | null): Promise<BundleManifest> => {
    const manifest = { schema: 1, release: '7.3', more: 'of a later script', ...(claimed && { pathRule: claimed }) };
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    return putPathRule(folder, manifest as unknown as BundleManifest, real, tmpdir());
  };
  const stored = (): unknown => JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));

  it.each<[string, PathRule | undefined, PathRule | null]>([
    ['gets the rule', undefined, rule],
    ['loses a rule that the build made up', rule, null],
    ['has the true rule in place of one that the build made up', { hostBridges: [], changed: [] }, rule],
    ['keeps the rule that is right', rule, rule],
  ])('%s, and keeps all else', async (_, claimed, real) => {
    const manifest = await put(claimed, real);
    expect(manifest).toEqual(stored());
    expect(stored()).toEqual({ schema: 1, release: '7.3', more: 'of a later script', ...(real && { pathRule: real }) });
  });
});
