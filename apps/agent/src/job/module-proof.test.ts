import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { OwnSuite, SCRIPT_FILE } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elfWithBuildId } from '../fake/fake-bundle.js';
import { type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { tarEntry, tarFolder, tarOf } from '../fake/tar-bytes.js';
import { type EndedJob, runScriptedJob } from '../testing/scripted-job.js';
import { moduleIdentityScript, parseModuleIdentity } from './module-proof.js';

const ID = 'c0'.repeat(20);
const OTHER_ID = 'dd'.repeat(20);
/** Of a .note.gnu.build-id, in hex. */
const NOTES = `040000001400000003000000474e5500${ID}`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'module-proof-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('what a machine says of a module', () => {
  function put(path: string, bytes: string | Buffer, mode = 0o644): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes, { mode });
  }
  function ask(name: string, modinfo: string) {
    put('bin/modinfo', `#!/bin/sh\n[ "$*" = '-n ${name}' ] && ${modinfo}\n`, 0o755);
    const env = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };
    const text = moduleIdentityScript(name, folder);
    return parseModuleIdentity(spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8', env }).stdout);
  }

  it('is its file, its build-id, its taint and its srcversion', () => {
    put('sys/module/toy/notes/.note.gnu.build-id', Buffer.from(NOTES, 'hex'));
    put('sys/module/toy/taint', 'OE\n');
    put('sys/module/toy/srcversion', '5D1E03A1F5F3B0E9D7C2A11\n');
    expect(ask('toy', 'echo /lib/modules/x/updates/toy.ko')).toEqual({
      file: '/lib/modules/x/updates/toy.ko',
      isBuiltIn: false,
      buildId: ID,
      taint: 'OE',
      srcversion: '5D1E03A1F5F3B0E9D7C2A11',
    });
  });

  it('is little of one that is built in, and nothing of one that is not there', () => {
    const nothing = { file: '', buildId: '', taint: '', srcversion: '' };
    expect(ask('ext4', "echo '(builtin)'")).toEqual({ ...nothing, isBuiltIn: true });
    expect(ask('none', 'exit 1')).toEqual({ ...nothing, isBuiltIn: false });
  });

  it('is what it can be: another value is none', () => {
    const hostile = `file|relative\nnotes|${'zz'.repeat(9)}\ntaint|$(reboot)\nsrcversion|${'A'.repeat(99)}\nfile|/second\n`;
    expect(parseModuleIdentity(hostile)).toEqual({
      file: '',
      isBuiltIn: false,
      buildId: '',
      taint: '',
      srcversion: '',
    });
    expect(parseModuleIdentity(`file|/a\u001b[2J\u0007${'b'.repeat(5000)}`).file.length).toBeLessThanOrEqual(300);
  });
});

describe('the modules that a suite of the run needs', () => {
  let lab: FakeLab;
  afterEach(() => lab.fake.stop());

  /** The bundle has a build-id of toy-uvm, and none of its own module. */
  const modules = (release: string): Buffer =>
    tarOf(
      tarFolder(`lib/modules/${release}`),
      tarEntry({ name: `lib/modules/${release}/peerlab_provider.ko` }, 'no ELF file'),
      tarEntry({ name: `lib/modules/${release}/kernel/toy-uvm.ko` }, elfWithBuildId(ID)),
    );

  /** Runs a job whose one suite needs these modules. */
  async function run(needed: string[], prepare: (lab: FakeLab) => void): Promise<EndedJob & { notes: string[] }> {
    lab = await startFakeLab(folder, { modules });
    lab.fake.loadedModules.set('toy_uvm', ID);
    prepare(lab);
    const own = OwnSuite.parse({ dialect: 'exit-code', script: 'true', needs: { modules: needed } });
    const suite = {
      name: 'mine',
      kind: 'functional' as const,
      command: [SCRIPT_FILE],
      timeoutSeconds: 20,
      testTimeoutSeconds: 20,
      tests: [],
      own,
    };
    const assignment = lab.assign();
    const work = { ...assignment.work, suites: [suite] };
    lab.fake.answers.set('suite', (channel) => channel.exit(0));
    const ended = await runScriptedJob(lab, folder, { assignment: { ...assignment, work } });
    return { ...ended, notes: ended.lines('agent').filter((line) => line.startsWith('test: module ')) };
  }

  it('are written down with file, build-id and taint, and proven where the bundle has them', async () => {
    const { failure, results, notes } = await run(['toy-uvm', 'nvme', 'ext4'], ({ fake }) => {
      fake.moduleTaints.set('toy_uvm', 'OE');
      fake.moduleFiles.set('ext4', '(builtin)');
      fake.loadedModules.set('nvme', OTHER_ID);
    });
    expect(failure).toBeNull();
    expect(results.find(({ suite }) => suite === 'mine')).toMatchObject({ status: 'pass' });
    const at = `/lib/modules/${lab.bundle.manifest.release}`;
    const srcversion = 'srcversion 5D1E03A1F5F3B0E9D7C2A11';
    expect(notes).toEqual([
      `test: module peerlab_provider: ${at}/peerlab_provider.ko, ${srcversion}, no taint; of the bundle, where it has no build-id: which module was loaded is not proven`,
      `test: module toy-uvm: ${at}/toy_uvm.ko, build-id ${ID}, ${srcversion}, taint OE (from outside the kernel, unsigned); of the bundle`,
      `test: module nvme: ${at}/nvme.ko, build-id ${OTHER_ID}, ${srcversion}, no taint; not of the bundle`,
      'test: module ext4: built into the kernel; not of the bundle',
    ]);
  });

  it.each<[string, (lab: FakeLab) => void, RegExp]>([
    [
      'another one is loaded',
      ({ fake }) => {
        fake.loadedModules.set('toy_uvm', OTHER_ID);
        fake.moduleFiles.set('toy_uvm', '/lib/modules/x/updates/dkms/toy-uvm.ko');
      },
      /the module toy-uvm that runs on v-switch is not that of the bundle: its build-id is (dd){20}, not (c0){20}; modprobe takes \/lib\/modules\/x\/updates\/dkms/,
    ],
    [
      'it was loaded by force',
      ({ fake }) => fake.moduleTaints.set('toy_uvm', 'OF'),
      /the module toy-uvm that runs on v-switch was loaded by force \(taint F\)/,
    ],
    [
      'one without a build-id comes from another file',
      ({ fake }) => fake.moduleFiles.set('peerlab_provider', '/lib/modules/x/updates/peerlab_provider.ko'),
      /the module peerlab_provider .* is not that of the bundle: modprobe takes \/lib\/modules\/x\/updates/,
    ],
  ])('are the lab’s fault where %s', async (_, prepare, message) => {
    const { failure, results } = await run(['toy-uvm'], prepare);
    expect(failure).toMatchObject({ class: 'infrastructure', message: expect.stringMatching(message) });
    expect(results.filter(({ suite }) => suite === 'mine')).toEqual([]);
  });

  it('are no fault where one that the bundle has not was loaded by force', async () => {
    const { failure, notes } = await run(['nvme'], ({ fake }) => fake.moduleTaints.set('nvme', 'F'));
    expect(failure).toBeNull();
    expect(notes.at(-1)).toContain('taint F (loaded by force); not of the bundle');
  });
});
