import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent, BundleManifest, TestResult } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { elfWithBuildId } from '../fake/fake-bundle.js';
import { tarEntry, tarFolder, tarOf } from '../fake/tar-bytes.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

const ID = 'c0'.repeat(20);
const OTHER_ID = 'dd'.repeat(20);
const TOY = { name: 'toy-gpu', version: '570.1', modules: ['toy', 'toy-uvm'] };

let folder: string;
let lab: FakeLab;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drivers-'));
});
afterEach(async () => {
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

const modules = (release: string): Buffer =>
  tarOf(
    tarFolder(`lib/modules/${release}`),
    ...['toy', 'toy-uvm'].map((name) =>
      tarEntry({ name: `lib/modules/${release}/updates/peerlab/toy-gpu/${name}.ko` }, elfWithBuildId(ID)),
    ),
  );

/** A machine that needs toy-gpu. @param of what the bundle says of drivers */
async function setUp(of: Partial<BundleManifest>, options: FakeLabOptions = {}): Promise<void> {
  lab = await startFakeLab(folder, { bootSeconds: 1, drivers: ['toy-gpu'], modules, manifest: of, ...options });
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

it('that was built with the kernel is loaded, and proven module by module', async () => {
  await setUp({ drivers: [TOY] });
  const { results, failure } = await run();
  expect(failure).toBeNull();
  expect(ofDriver(results)).toEqual([['farm', 'driver toy-gpu', 'pass', null]]);
  const loaded = lab.fake.commands.filter((purpose) => purpose === 'modprobe');
  expect(loaded).toHaveLength(3);
});

it('that does not build has its first error as a result, and the suites run', async () => {
  const error = "toy.c:7: implicit declaration of function 'vm_flags_set'";
  await setUp({ unbuiltDrivers: [{ name: 'toy-gpu', version: '570.1', error }] });
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

it('that the bundle has not is told with what to do', async () => {
  await setUp({});
  expect(ofDriver((await run()).results)).toEqual([
    ['farm', 'driver toy-gpu', 'no-result', expect.stringContaining('put it into kernel/drivers of the builder')],
  ]);
});

it('that finds no device has what modprobe said', async () => {
  await setUp({ drivers: [TOY] });
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
  await setUp({ drivers: [TOY] });
  lab.fake.loadedModules.set('toy_uvm', OTHER_ID);
  const { results, failure } = await run();
  expect(failure).toMatchObject({ class: 'infrastructure', message: expect.stringContaining('the module toy-uvm') });
  expect(ofDriver(results)).toEqual([]);
});

it('that crashes the kernel is a crash', async () => {
  await setUp({ drivers: [TOY] });
  lab.fake.moduleProblems.set('toy', 'oops');
  expect((await run()).failure).toMatchObject({ class: 'kernel-crash' });
});

it('is loaded again after a crash of a test, and told once', async () => {
  await setUp(
    { drivers: [TOY] },
    {
      tests: [
        { id: 'A', act: 'oops' },
        { id: 'B', act: 'pass' },
      ],
    },
  );
  const { results } = await run();
  expect(ofDriver(results)).toHaveLength(1);
  expect(lab.fake.commands.filter((purpose) => purpose === 'modprobe')).toHaveLength(6);
});

it('of a machine that needs none is left alone', async () => {
  await setUp({ drivers: [TOY] }, { drivers: [] });
  expect(ofDriver((await run()).results)).toEqual([]);
  expect(lab.fake.commands.filter((purpose) => purpose === 'modprobe')).toHaveLength(1);
});
