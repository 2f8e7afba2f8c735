import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { carriesMutants, countsLines, MutantList, parsePatch, type BundleManifest } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readNotes } from '../coverage/gcov-notes.js';
import { toyBranchPatch, toyCodePatch } from '../fake/toy-kernel.js';
import { BUILDS_MS, ToyBuilder, type ToyBuild } from '../testing/toy-builder.js';
import { runTool } from './system-tool.js';

/** What the build script does with the lines of a series, in the sandbox, on the toy kernel. */
vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

let builder: ToyBuilder;
let folder: string;
beforeEach(() => {
  builder = new ToyBuilder();
  folder = mkdtempSync(join(tmpdir(), 'build-lines-'));
});
afterEach(async () => {
  await builder.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** The bundle that a build uploaded, unpacked. */
async function unpack(build: ToyBuild): Promise<{ manifest: BundleManifest; read: (name: string) => Buffer }> {
  const { events } = build;
  const [built] = events.flatMap((event) => (event.type === 'built' ? [event] : []));
  if (built === undefined)
    throw new Error(`nothing was built: ${JSON.stringify(events.slice(-3))} ${build.log('build')}`);
  const tar = join(folder, 'bundle.tar');
  writeFileSync(tar, builder.uploads.get(built.bundle.sha256) ?? '');
  await runTool('tar', ['-C', folder, '-xf', tar]);
  return { manifest: built.manifest, read: (name) => readFileSync(join(folder, name)) };
}
const series = (condition = 'x > 3') => [{ mbox: toyBranchPatch('mm: a branch', condition) }];

describe('a configuration that counts', () => {
  it('has the files of the series counted, and the bundle says what of them was built', async () => {
    const { manifest, read } = await unpack(await builder.build(series(), { config: 'coverage' }));
    expect(countsLines(manifest)).toBe(true);
    // What was submitted, and nothing of what has it counted.
    expect(manifest.series.map(({ subject }) => subject)).toEqual(['mm: a branch']);
    const diff = parsePatch(read('series.diff').toString()).files;
    expect(diff.map(({ path, added, removed }) => [path, added, removed])).toEqual([['mm/hmm.c', 3, 1]]);
    await runTool('tar', ['-C', folder, '-xf', join(folder, 'gcov-notes.tar')]);
    const [noted] = readNotes(read('mm/hmm.gcno')).functions;
    expect(noted?.lines.map(({ file, line }) => [file, line])).toContainEqual(['mm/hmm.c', 4]);
  });

  it('is asked for by a fragment, too, and by no other kernel', async () => {
    const counted = await unpack(await builder.build(series(), { fragment: 'CONFIG_GCOV_KERNEL=y' }));
    expect(countsLines(counted.manifest)).toBe(true);
    const plain = await unpack(await builder.build(series()));
    expect(Object.keys(plain.manifest.files)).not.toContain('series.diff');
    expect(carriesMutants(plain.manifest)).toBe(false);
  });
});

describe('a build with mutants', () => {
  it('carries those of the lines that the series adds, up to its budget', async () => {
    const { manifest, read } = await unpack(await builder.build(series(), { mutants: { count: 3 } }));
    expect(carriesMutants(manifest)).toBe(true);
    expect(manifest.series.map(({ subject }) => subject)).toEqual(['mm: a branch']);
    const { total, mutants } = MutantList.parse(JSON.parse(read('mutants.json').toString()));
    expect(total).toBeGreaterThan(3);
    const built = mutants.filter(({ state }) => state === 'built');
    expect(built).toHaveLength(3);
    expect(mutants.every(({ path }) => path === 'mm/hmm.c')).toBe(true);
    expect(mutants.every(({ line }) => line >= 3 && line <= 5)).toBe(true);
  });

  it('leaves out what the compiler refuses, and compiles no more for that than what it touches', async () => {
    // A struct is never 0.
    const code = `struct pair { int a, b; };
static struct pair both(int n)
{
	return (struct pair){ n, n };
}
int hmm(int x)
{
	if (x > 3)
		return -22;
	return both(x).a + PAGES;
}
`;
    const built = await builder.build([{ mbox: toyCodePatch('mm: a struct', code) }], { mutants: { count: 50 } });
    const { read } = await unpack(built);
    const { mutants } = MutantList.parse(JSON.parse(read('mutants.json').toString()));
    expect(mutants.filter(({ state }) => state === 'refused').map(({ kind }) => kind)).toEqual(['return']);
    expect(mutants.filter(({ state }) => state === 'built').length).toBeGreaterThan(3);
    expect(built.log('build')).toContain('the compiler refuses');
    // What no mutant touches was compiled for the untouched base, and never again.
    expect(built.log('build').split('init/main.o')).toHaveLength(2);
  });

  it('is another kernel than the same series without them', async () => {
    const keys: string[] = [];
    for (const mutants of [undefined, { count: 2 }, { count: 3 }]) {
      const { manifest } = await unpack(await builder.build(series(), mutants === undefined ? {} : { mutants }));
      keys.push(manifest.key);
    }
    expect(new Set(keys).size).toBe(3);
  });

  it('fails with the reason where there is nothing to change, or where lines are counted', async () => {
    const failed = ({ events }: ToyBuild): string =>
      JSON.stringify(events.filter(({ type }) => type === 'build-failed' || type === 'finished'));
    const both = await builder.build(series(), { config: 'coverage', mutants: { count: 2 } });
    expect(failed(both)).toContain('carries no mutants');
    const comment = toyBranchPatch('mm: x', 'x').replaceAll(
      '+\tif (x)\n+\t\treturn -22;\n',
      '+\t/* only */\n+\t/* words */\n',
    );
    const nothing = await builder.build([{ mbox: comment }], { mutants: { count: 2 } });
    expect(failed(nothing)).toContain('there are no mutants of it');
  });
});
