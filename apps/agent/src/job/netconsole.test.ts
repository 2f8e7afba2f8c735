import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { proveConsole } from '../enrolment/acts.js';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { NetconsoleMachine } from '../testing/netconsole-machine.js';
import { type EndedJob, runScriptedJob } from '../testing/scripted-job.js';
import { MachineConnection } from './machine-connection.js';
import { MachineRecords } from './machine-record.js';

/** A machine whose only console is netconsole: what it shows of kernels, and how a boot is judged that it shows nothing of. */

let folder: string;
let lab: FakeLab;
let net: NetconsoleMachine;
const told: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-netconsole-'));
  told.length = 0;
});
afterEach(async () => {
  await net.stop();
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function setUp(options: FakeLabOptions = {}): Promise<void> {
  lab = await startFakeLab(folder, { bootSeconds: 1, ...options });
  net = await NetconsoleMachine.start(lab.fake, folder);
  Object.assign(lab.machine, { console: net.console });
  await eventually('the console is recorded', () => net.console.problem?.() === null);
}

/** No kernel has ever come up on the machine. */
const run = (): Promise<EndedJob> =>
  runScriptedJob(lab, folder, {
    assignment: lab.assign(),
    pace: { ...FAKE_PACE, firmwareMs: 300 },
    records: new MachineRecords(folder),
  });

const ARGUMENT = (): string => `netconsole=6665@127.0.0.2/eno1,${net.port}@127.0.0.1/52:54:00:00:00:02`;
const builtIn = { config: Buffer.from('CONFIG_NETCONSOLE=y\n') };

describe('a candidate that has netconsole as a module', () => {
  it('gets it once it answers, at each boot; its crash has a text', async () => {
    await setUp({
      tests: [
        { id: 'F01.crashes', act: 'oops' },
        { id: 'F02.passes', act: 'pass' },
      ],
    });
    const { results, failure, text } = await run();
    expect(net.loaded).toEqual([ARGUMENT(), ARGUMENT()]);
    const status = (name: string) => results.find(({ test }) => test === name);
    expect(status('boot')).toMatchObject({ status: 'pass' });
    expect(status('F01.crashes')).toMatchObject({
      status: 'crash',
      signature: expect.stringContaining('peerlab_broken'),
    });
    expect(status('F02.passes')).toMatchObject({ status: 'pass' });
    expect(failure).toBeNull();
    expect(text('agent')).toContain(`verify: netconsole is loaded, ${ARGUMENT()}`);
    expect(text('agent')).not.toContain('nothing of it arrived');
    // Nothing before: no boot loader, and the first line only out of the log that it has kept.
    expect(text('serial')).not.toContain('peerlab-grub');
    expect(text('agent')).not.toMatch(/command line: .*netconsole=/);
  });

  it('that panics at boot is no finding, and no fault of the machine: nothing shows that it was loaded', async () => {
    await setUp();
    lab.fake.candidateBoots = ['panic'];
    const { results, failure, text } = await run();
    expect(failure).toMatchObject({
      class: 'infrastructure',
      message: expect.stringMatching(
        /the console shows no sign of the candidate; .*netconsole shows nothing before SSH/,
      ),
    });
    expect(failure?.trouble).toBeUndefined();
    expect(results.filter(({ test }) => test === 'boot')).toEqual([]);
    expect(net.loaded).toEqual([]);
    expect(text('serial')).toBe('');
  });

  it('that the boot loader did not take, whose selection still stands, is the machine’s fault all the same', async () => {
    await setUp();
    lab.fake.ignoresSelection = true;
    expect((await run()).failure).toMatchObject({ class: 'infrastructure', trouble: 'not-taken' });
  });

  it('is said to be silent where nothing of it arrives, which fails no test', async () => {
    await setUp();
    net.isCut = true;
    const { failure, text } = await run();
    expect(failure).toBeNull();
    expect(text('agent').match(/nothing of it arrived within 1\.0 s/g)).toHaveLength(1);
  });
});

describe('a candidate that has netconsole built in', () => {
  it('is told on its command line where the driver of the card is built in as well', async () => {
    await setUp({ more: builtIn });
    net.driver = 'driver|mlx5_core\nbuilt-in|yes\n';
    net.atBoot.candidate = 'told';
    lab.fake.candidateBoots = ['up'];
    const { failure, text } = await run();
    expect(failure).toBeNull();
    expect(text('agent')).toMatch(
      new RegExp(`command line: .* netconsole=6665@127\\.0\\.0\\.2/52:54:00:00:00:01,${net.port}@127\\.0\\.0\\.1/`),
    );
    expect(net.loaded).toEqual([]);
    expect(text('serial')).toContain('Linux version 7.');
  });

  it('prints nothing where the driver is a module, which is said once', async () => {
    await setUp({
      more: builtIn,
      tests: [
        { id: 'F01.crashes', act: 'lose-network' },
        { id: 'F02.passes', act: 'pass' },
      ],
    });
    net.atBoot.candidate = 'untold';
    const { results, text } = await run();
    expect(results.find(({ test }) => test === 'F02.passes')).toMatchObject({ status: 'pass' });
    expect(text('agent')).not.toMatch(/command line: .*netconsole=/);
    expect(text('agent').match(/this candidate prints nothing to the console: .*/g)).toEqual([
      'this candidate prints nothing to the console: netconsole is built in, and is told at boot alone, where eno1 is not there yet: its driver mlx5_core is a module',
    ]);
  });
});

it('a candidate without netconsole is tested all the same', async () => {
  await setUp();
  net.atBoot.candidate = 'none';
  const { failure, text } = await run();
  expect(failure).toBeNull();
  expect(text('agent')).toMatch(
    /prints nothing to the console: netconsole cannot be loaded: .*Module netconsole not found/,
  );
});

it('a way that is no possible one never reaches a shell', async () => {
  await setUp();
  net.driver = '';
  lab.fake.answers.set('netconsole-way', (channel) => {
    channel.write('agent|127.0.0.1\ndevice|eno1;reboot\nnext-hop|52:54:00:00:00:02\n');
    channel.exit(0);
  });
  const { failure, text } = await run();
  expect(failure).toBeNull();
  expect(net.loaded).toEqual([]);
  expect(text('agent')).toContain('is not the name of a network interface: eno1;reboot');
});

describe('the proof of the console', () => {
  const prove = () =>
    proveConsole({
      machine: lab.machine,
      connection: new MachineConnection(lab.machine, FAKE_PACE),
      pace: FAKE_PACE,
      signal: AbortSignal.timeout(60_000),
      note: (text) => void told.push(text),
      onBoot: () => undefined,
    });

  it('loads netconsole on the default kernel and takes it out again', async () => {
    await setUp();
    expect(await prove()).toMatchObject({ name: 'console-echo', verdict: 'pass' });
    expect(net.loaded).toEqual([ARGUMENT()]);
    expect(net.unloads).toBe(1);
    expect(told).toEqual([`netconsole is loaded, ${ARGUMENT()}`]);
  });

  it('leaves it where the machine itself had loaded it', async () => {
    await setUp();
    net.loaded.push(ARGUMENT());
    net.state = 'loaded';
    expect(await prove()).toMatchObject({ verdict: 'pass' });
    expect(net.unloads).toBe(0);
    expect(told).toEqual(['the machine itself has loaded netconsole']);
  });

  it('fails with what modprobe says where the default kernel has none', async () => {
    await setUp();
    net.state = 'none';
    expect(await prove()).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('Module netconsole not found'),
    });
    expect(net.unloads).toBe(0);
  });
});
