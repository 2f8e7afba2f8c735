import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import type { AttemptEvent, DriverBuild, TestResult } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { elfWithBuildId } from '../fake/fake-bundle.js';
import { tarEntry, tarFolder, tarOf } from '../fake/tar-bytes.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

const ID = 'c0'.repeat(20);
const OTHER_ID = 'dd'.repeat(20);
const TOY = { name: 'toy-gpu', version: '570.1', modules: ['toy', 'toy-uvm'], key: 'ab'.repeat(32) };

let folder: string;
let lab: FakeLab;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drivers-'));
});
afterEach(async () => {
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The archive of a driver; `place` is where its modules lie below lib/modules/RELEASE. */
const archive = (release: string, modules: readonly string[], place = 'updates/peerlab/toy-gpu'): Buffer =>
  tarOf(
    tarFolder(`lib/modules/${release}/${place}`),
    ...modules.map((name) => tarEntry({ name: `lib/modules/${release}/${place}/${name}.ko` }, elfWithBuildId(ID))),
  );

/** toy-gpu as it was built, in an archive of these bytes. */
const builtAs =
  (bytesOf: (release: string) => Buffer): NonNullable<FakeLabOptions['driverBuilds']> =>
  (release) => {
    const bytes = bytesOf(release);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return {
      drivers: [{ ...TOY, archive: { sha256, sizeBytes: bytes.length }, error: null }],
      archives: new Map([[sha256, bytes]]),
    };
  };
const BUILT: FakeLabOptions = { driverBuilds: builtAs((release) => archive(release, TOY.modules)) };
const unbuilt = (error: string): FakeLabOptions => ({
  driverBuilds: () => ({ drivers: [{ ...TOY, archive: null, error } satisfies DriverBuild], archives: new Map() }),
});

/** A machine that needs toy-gpu. */
async function setUp(options: FakeLabOptions): Promise<void> {
  lab = await startFakeLab(folder, { bootSeconds: 1, drivers: ['toy-gpu'], ...options });
  for (const module of ['toy', 'toy_uvm']) lab.fake.loadedModules.set(module, ID);
}

async function run(): Promise<{ results: TestResult[]; failure: { class: string; message: string } | null }> {
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { signal } = new AbortController();
  const lease = { check: () => undefined };
  await runTestJob(
    new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease),
  );
  const events: AttemptEvent[] = spool
    .file('events')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const results = events.flatMap((event) => (event.type === 'result' ? [event.result] : []));
  const last = events.at(-1);
  return { results, failure: last?.type === 'finished' ? last.failure : null };
}

const ofDriver = (results: readonly TestResult[]): unknown[] =>
  results
    .filter(({ test }) => test.startsWith('driver'))
    .map(({ suite, test, status, reason }) => [suite, test, status, reason]);

it('that was built against the kernel is put beside its modules, loaded, and proven module by module', async () => {
  await setUp(BUILT);
  const { results, failure } = await run();
  expect(failure).toBeNull();
  expect(ofDriver(results)).toEqual([['farm', 'driver toy-gpu', 'pass', null]]);
  const loaded = lab.fake.commands.filter((purpose) => purpose === 'modprobe');
  expect(loaded).toHaveLength(3);
  expect(lab.fake.installedDrivers).toEqual(['toy-gpu']);
  // Listed for modprobe before anything looks for it.
  const order = ['unpack-modules', 'unpack-driver', 'depmod', 'modprobe'].map((purpose) =>
    lab.fake.commands.indexOf(purpose),
  );
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(order[0]).toBeGreaterThanOrEqual(0);
});

it('that does not build has its first error as a result, and the suites run', async () => {
  const error = "toy.c:7: implicit declaration of function 'vm_flags_set'";
  await setUp(unbuilt(error));
  const { results, failure } = await run();
  expect(failure).toBeNull();
  expect(ofDriver(results)).toEqual([
    ['farm', 'driver toy-gpu', 'no-result', `the driver toy-gpu 570.1 does not build: ${error}`],
  ]);
  expect(results.filter(({ suite }) => suite === 'p2p-functional').map(({ status }) => status)).toEqual([
    'pass',
    'pass',
  ]);
});

it('that the builder has not is told with what to do', async () => {
  await setUp({});
  expect(ofDriver((await run()).results)).toEqual([
    ['farm', 'driver toy-gpu', 'no-result', expect.stringContaining('put it into kernel/drivers of the builder')],
  ]);
});

it('that finds no device has what modprobe said', async () => {
  await setUp(BUILT);
  lab.fake.moduleProblems.set('toy-uvm', "could not insert 'toy_uvm': No such device");
  expect(ofDriver((await run()).results)).toEqual([
    [
      'farm',
      'driver toy-gpu',
      'no-result',
      expect.stringMatching(/is built, but modprobe toy-uvm failed: .*No such device$/),
    ],
  ]);
});

it('that another module shadows is the lab’s fault', async () => {
  await setUp(BUILT);
  lab.fake.loadedModules.set('toy_uvm', OTHER_ID);
  const { results, failure } = await run();
  expect(failure).toMatchObject({ class: 'infrastructure', message: expect.stringContaining('the module toy-uvm') });
  expect(ofDriver(results)).toEqual([]);
});

it('that crashes the kernel is a crash', async () => {
  await setUp(BUILT);
  lab.fake.moduleProblems.set('toy', 'oops');
  expect((await run()).failure).toMatchObject({ class: 'kernel-crash' });
});

it('is loaded again after a crash of a test, and told once', async () => {
  await setUp({
    ...BUILT,
    tests: [
      { id: 'A', act: 'oops' },
      { id: 'B', act: 'pass' },
    ],
  });
  const { results } = await run();
  expect(ofDriver(results)).toHaveLength(1);
  expect(lab.fake.commands.filter((purpose) => purpose === 'modprobe')).toHaveLength(6);
});

it('of a machine that needs none is left alone', async () => {
  await setUp({ ...BUILT, drivers: [] });
  expect(ofDriver((await run()).results)).toEqual([]);
  expect(lab.fake.commands.filter((purpose) => purpose === 'modprobe')).toHaveLength(1);
});

it.each<[what: string, bytes: (release: string) => Buffer, why: string]>([
  ['a file outside of its folder', (release) => archive(release, TOY.modules, 'kernel/drivers'), 'is not below'],
  ['no module that it names', (release) => archive(release, ['toy']), 'the module "toy-uvm" is missing'],
])('whose archive has %s is refused', async (_what, bytes, why) => {
  await setUp({ driverBuilds: builtAs(bytes) });
  const { failure } = await run();
  expect(failure).toMatchObject({ class: 'request', message: expect.stringContaining(why) });
  expect(lab.fake.installedDrivers).toEqual([]);
});

it('with a module of the kernel’s own name is refused', async () => {
  const modules = (release: string): Buffer => archive(release, ['toy'], 'kernel/drivers');
  await setUp({ ...BUILT, modules });
  expect((await run()).failure).toMatchObject({
    class: 'request',
    message: expect.stringMatching(
      /the driver toy-gpu is refused: the module toy is there already: .*kernel\/drivers\/toy\.ko/,
    ),
  });
});

it('that cannot be fetched is the lab’s trouble', async () => {
  await setUp({
    driverBuilds: (release) => ({ ...builtAs((of) => archive(of, TOY.modules))(release), archives: new Map() }),
  });
  expect((await run()).failure).toMatchObject({
    class: 'infrastructure',
    message: expect.stringMatching(/^the driver toy-gpu cannot be fetched: /),
  });
});

it('with a module of another driver of its machine is the lab’s trouble: its config names both', async () => {
  const both: FakeLabOptions['driverBuilds'] = (release) => {
    const first = builtAs((of) => archive(of, TOY.modules))(release);
    const second = builtAs((of) => archive(of, TOY.modules, 'updates/peerlab/toy-twin'))(release);
    return {
      drivers: [...first.drivers, ...second.drivers.map((driver) => ({ ...driver, name: 'toy-twin' }))],
      archives: new Map([...first.archives, ...second.archives]),
    };
  };
  await setUp({ driverBuilds: both, drivers: ['toy-gpu', 'toy-twin'] });
  expect((await run()).failure).toMatchObject({
    class: 'infrastructure',
    message: expect.stringMatching(/^two drivers of this machine .*: toy-twin: the module toy is there already: /),
  });
});
