import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttemptEvent, DriverBuild } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toyMakefilePatch, toyWithoutDevelPatch } from '../fake/toy-kernel.js';
import { BUILDS_MS, type ToyBuild, ToyBuilder } from '../testing/toy-builder.js';

type Built = Extract<AttemptEvent, { type: 'built' }>;
const builtOf = ({ events }: ToyBuild): Built => {
  const built = events.find((event): event is Built => event.type === 'built');
  if (built === undefined) throw new Error(`not built: ${JSON.stringify(events.at(-1))}`);
  return built;
};

const DIGEST: unknown = expect.stringMatching(/^[0-9a-f]{64}$/);

let toy: ToyBuilder;

beforeEach(() => {
  toy = new ToyBuilder();
});
afterEach(() => toy.remove());

/** Puts a driver with one module beside the kernel. */
function put(name: string, module: string, source = 'int x;\n'): void {
  const folder = join(toy.settings.kernelDir, 'drivers', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'driver.json'), JSON.stringify({ version: '570.1', modules: [module] }));
  writeFileSync(join(folder, `${module}.c`), source);
}

/** The files of a driver's archive, as it was stored. */
function filesOf({ archive }: DriverBuild): string[] {
  const tar = join(toy.folder, 'archive.tar');
  writeFileSync(tar, toy.uploads.get(archive?.sha256 ?? '') ?? '');
  const names = execFileSync('tar', ['-tf', tar], { encoding: 'utf8' }).split('\n');
  return names.filter((name) => name.endsWith('.ko'));
}

/** What the controller answers once it holds the bundle of this build. */
function store({ manifest, bundle }: Built): void {
  toy.stored = { manifest, bundle, missingPatches: [] };
  toy.downloads.set(bundle.sha256, toy.uploads.get(bundle.sha256) ?? '');
}

const kept = (): string[] => readdirSync(join(toy.settings.cacheDir, 'drivers'));

const timesBuilt = (build: ToyBuild, name: string): number =>
  build.log('agent').split(`drivers: building the driver ${name} `).length - 1;

describe('the drivers that a lab put beside the kernel', { timeout: BUILDS_MS }, () => {
  it('are built against it, each with its own archive or its first error', async () => {
    const without = builtOf(await toy.build([]));
    expect(without.drivers).toBeUndefined();
    expect(Object.keys(without.manifest.files)).toContain('devel.tar.gz');
    put('sound', 'toy_gpu');
    put('broken', 'bad', '#include <no/such.h>\n');
    mkdirSync(join(toy.settings.kernelDir, 'drivers/odd'));
    writeFileSync(join(toy.settings.kernelDir, 'drivers/odd/driver.json'), '{"version":"1"}');
    const build = await toy.build([]);
    const { manifest, drivers = [] } = builtOf(build);
    // The kernel is the one that it was.
    expect(manifest).toEqual(without.manifest);
    expect(drivers).toEqual([
      {
        name: 'broken',
        version: '570.1',
        modules: ['bad'],
        key: DIGEST,
        archive: null,
        error: 'bad.c:1: no/such.h: No such file or directory',
      },
      {
        name: 'odd',
        version: '',
        modules: [],
        key: null,
        archive: null,
        error: 'driver.json: modules: expected one to sixteen names',
      },
      {
        name: 'sound',
        version: '570.1',
        modules: ['toy_gpu'],
        key: DIGEST,
        archive: { sha256: DIGEST, sizeBytes: expect.any(Number) },
        error: null,
      },
    ]);
    expect(filesOf(drivers[2] as DriverBuild)).toEqual([
      `lib/modules/${manifest.release}/updates/peerlab/sound/toy_gpu.ko`,
    ]);
    expect(build.log('agent')).toContain('the driver broken 570.1 does not build: bad.c:1');
    expect(build.events.at(-1)).toMatchObject({ type: 'finished', failure: null });
  });

  it('are built once for each kernel and source, and the kernel is not built again for them', async () => {
    put('sound', 'toy_gpu');
    put('other', 'second');
    const first = await toy.build([]);
    expect([timesBuilt(first, 'sound'), timesBuilt(first, 'other')]).toEqual([1, 1]);
    const again = await toy.build([]);
    expect(builtOf(again).drivers).toEqual(builtOf(first).drivers);
    expect([timesBuilt(again, 'sound'), timesBuilt(again, 'other')]).toEqual([0, 0]);
    put('sound', 'toy_gpu', 'int y;\n');
    const changed = await toy.build([]);
    expect([timesBuilt(changed, 'sound'), timesBuilt(changed, 'other')]).toEqual([1, 0]);
    expect(builtOf(changed)).toMatchObject({ cached: true, manifest: { key: builtOf(first).manifest.key } });
    const keys = ({ drivers = [] }: Built): (string | null)[] => drivers.map(({ key }) => key);
    expect(keys(builtOf(changed))).toEqual([
      keys(builtOf(first))[0],
      expect.not.stringMatching(keys(builtOf(first))[1] ?? ''),
    ]);
  });

  it('are built against a kernel that only the controller holds', async () => {
    const first = builtOf(await toy.build([]));
    store(first);
    rmSync(join(toy.settings.cacheDir, 'bundles'), { recursive: true });
    put('sound', 'toy_gpu');
    const { drivers = [], cached } = builtOf(await toy.build([]));
    expect(cached).toBe(true);
    expect(filesOf(drivers[0] as DriverBuild)).toEqual([
      `lib/modules/${first.manifest.release}/updates/peerlab/sound/toy_gpu.ko`,
    ]);
  });

  it('that a kernel’s makefiles tamper with are not taken', async () => {
    put('sound', 'toy_gpu');
    // Of a series: it waits for the build of a driver, and puts a link beside its modules.
    const hostile = toyMakefilePatch(
      'more',
      'ifneq ($(INSTALL_MOD_DIR),updates/peerlab/sound)\nelse\n$(shell mkdir -p $(INSTALL_MOD_PATH)/lib/modules/$(shell cat include/config/kernel.release)/updates/peerlab/sound; ln -s /etc/passwd $(INSTALL_MOD_PATH)/lib/modules/$(shell cat include/config/kernel.release)/updates/peerlab/sound/more.ko)\nendif',
    );
    const { drivers = [] } = builtOf(await toy.build([{ mbox: hostile }]));
    expect(drivers).toMatchObject([
      { name: 'sound', archive: null, error: expect.stringContaining('is not accepted') },
    ]);
    // Nor kept: another kernel with the same devel part, or the next build of this one, is not told of it.
    expect(kept()).toEqual([]);
  });

  it('that do not build are tried again after a day: the builder may have lacked a program', async () => {
    put('broken', 'bad', '#include <no/such.h>\n');
    await toy.build([]);
    expect(timesBuilt(await toy.build([]), 'broken')).toBe(0);
    const longAgo = new Date(Date.now() - 25 * 60 * 60_000);
    for (const key of kept()) utimesSync(join(toy.settings.cacheDir, 'drivers', key, 'error.txt'), longAgo, longAgo);
    expect(timesBuilt(await toy.build([]), 'broken')).toBe(1);
  });

  it('are built against the bundle that the controller holds, where the one here is another', async () => {
    const first = builtOf(await toy.build([]));
    store(first);
    const here = join(toy.settings.cacheDir, 'bundles', first.manifest.key);
    writeFileSync(join(here, 'devel.tar.gz'), 'of another build with the same key');
    put('sound', 'toy_gpu');
    expect(builtOf(await toy.build([])).drivers).toMatchObject([{ name: 'sound', error: null }]);
  });
});

const RUN_OUT = "echo 'ld: final link failed: No space left on device' >&2; exit 1\n";

describe('trouble with a driver fails no kernel, also on a builder that has none yet', { timeout: BUILDS_MS }, () => {
  const file = (name: string, content: string): void =>
    writeFileSync(join(toy.settings.kernelDir, 'drivers/only', name), content);

  it.each<[string, () => void, RegExp]>([
    ['its driver.json is wrong', () => file('driver.json', '{'), /^driver\.json: it is no JSON object/],
    [
      'its driver.json is missing',
      () => rmSync(join(toy.settings.kernelDir, 'drivers/only/driver.json')),
      /^driver\.json: it cannot be read/,
    ],
    [
      'the builder runs out of disk',
      () => file('build.sh', RUN_OUT),
      /^it could not be built this time: the disk is full/,
    ],
    [
      'the builder lacks a program',
      () => file('build.sh', 'flexx -o x.c\n'),
      /^it could not be built this time: the command 'flexx' is missing/,
    ],
    [
      'a link leads out',
      () => link('/etc/passwd', 'more.c'),
      /^more\.c is a link to \/etc\/passwd, which is not in its folder/,
    ],
    [
      'a link leads nowhere',
      () => link('no/such', 'build'),
      /^build is a link to no\/such, which is not in its folder/,
    ],
    ['its archive is not taken', refuseUpload, /^it could not be built this time: no room for it/],
  ])('where %s', async (_, spoil, error) => {
    put('only', 'toy_gpu');
    spoil();
    const build = await toy.build([]);
    expect(builtOf(build).drivers).toMatchObject([
      { name: 'only', archive: null, error: expect.stringMatching(error) },
    ]);
    expect(build.events.at(-1)).toMatchObject({ type: 'finished', failure: null });
  });

  function link(target: string, name: string): void {
    symlinkSync(target, join(toy.settings.kernelDir, 'drivers/only', name));
  }

  function refuseUpload(): void {
    const own = { ...toy.settings.artifacts };
    toy.settings.artifacts.upload = async (digest, path, ...more) => {
      if (path.endsWith('driver.tar')) throw new Error('no room for it');
      await own.upload(digest, path, ...more);
    };
  }

  it('where the tree has no list of what drivers need', async () => {
    put('only', 'toy_gpu');
    const build = await toy.build([{ mbox: toyWithoutDevelPatch('an older tree') }]);
    expect(builtOf(build).drivers).toMatchObject([
      { name: 'only', key: null, error: expect.stringMatching(/^the bundle has no devel part/) },
    ]);
    expect(build.events.at(-1)).toMatchObject({ type: 'finished', failure: null });
  });

  it('where there are more than a builder takes', async () => {
    for (let at = 0; at < 33; at += 1) put(`d${at}`, 'x');
    const build = await toy.build([]);
    expect(builtOf(build).drivers).toBeUndefined();
    expect(build.log('agent')).toContain(
      'drivers: none is built: kernel/drivers of the builder has 33 drivers; 32 at most are built',
    );
    expect(build.events.at(-1)).toMatchObject({ type: 'finished', failure: null });
  });

  it('and links within it are followed', async () => {
    put('only', 'toy_gpu');
    rmSync(join(toy.settings.kernelDir, 'drivers/only/toy_gpu.c'));
    mkdirSync(join(toy.settings.kernelDir, 'drivers/only/src'));
    file('src/own.c', 'int x;\n');
    link('src/own.c', 'toy_gpu.c');
    const build = await toy.build([]);
    expect(builtOf(build).drivers).toMatchObject([{ name: 'only', error: null }]);
  });
});
