import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineCheck } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { MachineRecords } from '../job/machine-record.js';
import { readHostKey } from '../machine/drivers/host-key.js';
import { readCheckRuns } from './check-runs.js';
import { enrol, type Person } from './enrol.js';
import { GOOD_FACTS } from '../fake/good-facts.js';
import { labOutlet } from '../testing/lab-outlet.js';
import { startOutlet } from '../testing/outlet.js';
import { newMachine } from './new-machine.js';
import { readOptions } from './options.js';

let folder: string;
let lab: FakeLab;
let configFile: string;
const told: string[] = [];
const seen: MachineCheck[] = [];
let answers: (string | null)[] = [];
const person: Person = {
  ask: async () => answers.shift() ?? null,
  tell: (text) => void told.push(text),
  onCheck: (one) => void seen.push(one),
};
/** Of one test. */
let signal: AbortSignal;

beforeEach(async () => {
  signal = AbortSignal.timeout(60_000);
  folder = mkdtempSync(join(tmpdir(), 'peerlab-enrol-'));
  lab = await startFakeLab(folder);
  lab.fake.facts = GOOD_FACTS;
  lab.fake.inventory = readFileSync(new URL('../inventory/samples/v-switch.txt', import.meta.url), 'utf8');
  configFile = join(folder, 'agent.yaml');
  writeFileSync(join(folder, 'token'), 'x');
  writeFileSync(
    configFile,
    `# of the lab\ncontroller: http://127.0.0.1:1\ntokenFile: token\nname: lab-1\nstateDir: state\ncacheDir: cache\n`,
    { mode: 0o640 },
  );
  told.length = 0;
  seen.length = 0;
  answers = [];
});
afterEach(async () => {
  await lab.fake.stop();
  await rm(folder, { recursive: true });
});

const run = (...argv: string[]): ReturnType<typeof enrol> =>
  enrol(readOptions([...argv, '--config', configFile]), person, signal, FAKE_PACE);
const add = (...more: string[]): ReturnType<typeof enrol> =>
  run(
    'add',
    'epyc-1',
    '--host',
    '127.0.0.1',
    '--port',
    String(lab.fake.ssh.port),
    '--key',
    join(folder, 'key'),
    ...more,
  );
const withConsole = (): string[] => ['--console', `file:${lab.fake.settings.consoleFile}`];
const names = (checks: readonly MachineCheck[], verdict: string): string[] =>
  checks.filter((one) => one.verdict === verdict).map(({ name }) => name);

describe('peerlab machine add', () => {
  it('takes a machine from nothing into the config, whose comments and rights stay', async () => {
    answers = ['yes', 'epyc-1'];
    const { checks, wrote } = await add(...withConsole(), '--act', '--labels', 'nic=cx7,rack=4');
    expect(names(checks, 'fail')).toEqual([]);
    expect(names(checks, 'pass')).toEqual(expect.arrayContaining(['ssh', 'console-echo', 'fallback']));
    expect(wrote).toBe(configFile);
    const text = readFileSync(configFile, 'utf8');
    expect(text).toContain('# of the lab');
    expect(text).toContain('nic: cx7');
    expect(statSync(configFile).mode & 0o777).toBe(0o640);
    expect(lab.fake.customConfig).toBe('');
    // Its first jobs wait for its firmware accordingly.
    const record = new MachineRecords(join(folder, 'state')).read('epyc-1');
    expect(record.enrolledBootMs).toBeGreaterThan(0);
    // The agent reads what was written.
    seen.length = 0;
    const again = await run('check', 'epyc-1');
    expect(names(again.checks, 'fail')).toEqual([]);
    // For its page: the look that came after, and what was proven.
    const runs = readCheckRuns(join(folder, 'state'), 'epyc-1');
    expect(runs.map(({ acted }) => acted)).toEqual([false, true]);
    expect(runs.map(({ list }) => list)).toEqual([again.checks, checks]);
    expect(new MachineRecords(join(folder, 'state')).read('epyc-1')).toEqual(record);
  });

  it('pins no key without confirmation, and only the one that was given', async () => {
    answers = ['no'];
    await expect(add()).rejects.toThrow('the host key was not confirmed');
    await expect(add('--fingerprint', `SHA256:${'A'.repeat(43)}`)).rejects.toThrow(
      /shows the host key SHA256:.*, not SHA256:AAAA/,
    );
    answers = [];
    await expect(add()).rejects.toThrow(/the host key is not confirmed: compare it, then give --fingerprint SHA256:/);
    expect(lab.fake.commands).toEqual([]);
  });

  it('waits for a greeting as long as a job waits for a machine', async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    try {
      const { port } = silent.address() as AddressInfo;
      const options = ['add', 'epyc-1', '--host', '127.0.0.1', '--port', String(port), '--key', 'key'];
      const at = performance.now();
      const added = enrol(readOptions([...options, '--config', configFile]), person, signal, {
        ...FAKE_PACE,
        reachMs: 400,
      });
      await expect(added).rejects.toThrow(`127.0.0.1:${port} does not answer by SSH`);
      expect(performance.now() - at).toBeGreaterThan(390);
    } finally {
      silent.close();
    }
  });

  it('writes nothing when the machine is not fit, and does not reboot it', async () => {
    lab.fake.facts = GOOD_FACTS.replace('@tools', '@tools\nmissing flock');
    const { fingerprint } = await readHostKey('127.0.0.1', lab.fake.ssh.port, 5000);
    const before = readFileSync(configFile, 'utf8');
    const { checks, wrote } = await add('--fingerprint', fingerprint, '--act', '--confirm', 'epyc-1');
    expect(names(checks, 'fail')).toEqual(['tools']);
    expect(wrote).toBeNull();
    expect(readFileSync(configFile, 'utf8')).toBe(before);
    expect(readCheckRuns(join(folder, 'state'), 'epyc-1')).toEqual([]);
    expect(lab.fake.boots).toBe(0);
  });

  /** The facts of a machine that systemd-boot booted; `bootctl` is there or not. */
  const bootedBySystemdBoot = (bootctl: 'yes' | ''): void => {
    const facts = ['efi=yes', 'loader=systemd-boot 252.39-1~deb12u2', 'grub=', `bootctl=${bootctl}`];
    lab.fake.answers.set('loader-facts', (channel) => {
      channel.write(facts.join('\n'));
      channel.exit(0);
    });
  };

  it('writes down the boot loader and the initramfs tool that the machine has', async () => {
    bootedBySystemdBoot('yes');
    lab.fake.grubProblem = '/boot/grub/grub.cfg is missing';
    lab.fake.facts = GOOD_FACTS.replace('/dev/vda1 ext4', '/dev/nvme0n1p4[/root] btrfs').replace(
      'initramfs update-initramfs',
      'initramfs dracut',
    );
    lab.fake.answers.set('identify', (channel) => {
      const commandLine = 'initrd=\\debian\\6.1\\initrd.img-6.1 root=UUID=5d3c rootflags=subvol=root ro quiet';
      channel.write([lab.fake.bootId, '6.1.0-50-amd64', commandLine, '', ''].join('\n'));
      channel.exit(0);
    });
    answers = ['yes'];
    const { checks, wrote } = await add();
    expect(names(checks, 'fail')).toEqual([]);
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'boot-loader', detail: 'systemd-boot can boot another kernel once' }),
    );
    expect(parse(readFileSync(wrote ?? '', 'utf8'))).toMatchObject({
      machines: [{ boot: { driver: 'systemd-boot' }, initramfs: { driver: 'dracut' } }],
    });
  });

  it('takes the initramfs tool of a machine whose root is a plain partition, too', async () => {
    lab.fake.facts = GOOD_FACTS.replace('/dev/vda1 ext4', '/dev/nvme0n1p2 ext4');
    answers = ['yes'];
    const { checks, wrote } = await add();
    expect(checks).toContainEqual(
      expect.objectContaining({
        name: 'root',
        detail: expect.stringContaining('; initramfs-tools makes the initramfs'),
      }),
    );
    expect(parse(readFileSync(wrote ?? '', 'utf8'))).toMatchObject({
      machines: [{ initramfs: { driver: 'initramfs-tools' } }],
    });
  });

  it('names every loader of a machine where none can be used', async () => {
    bootedBySystemdBoot('');
    lab.fake.grubProblem = '/boot/grub/grub.cfg is missing';
    answers = ['yes'];
    const { checks, wrote } = await add();
    expect(wrote).toBeNull();
    expect(checks.find(({ name }) => name === 'boot-loader')?.remedy).toMatch(
      /no boot loader of this machine can be used: systemd-boot: bootctl is missing; grub2: .*; grub: .*; uefi: /,
    );
  });

  it('takes power by Redfish and the console by IPMI of one BMC, and says so where only the first is described', async () => {
    const bmcs = (list: string): void => {
      const login = 'user: lab, passwordFile: token';
      const redfish = `  r: {protocol: redfish, url: "https://127.0.0.1:1", ${login}}`;
      const text = readFileSync(configFile, 'utf8').replace(/^bmcs:[^]*$/m, '');
      writeFileSync(configFile, `${text}bmcs:\n${redfish}\n${list}`);
    };
    answers = ['yes'];
    bmcs('');
    await expect(add('--bmc', 'r', '--console', 'sol')).rejects.toThrow(
      '--console sol: "r" speaks redfish, which has no console; where it speaks IPMI too, describe that under bmcs: and give --console sol:NAME',
    );
    bmcs('  i: {protocol: ipmi, host: 127.0.0.1, user: lab, passwordFile: token}\n');
    await add('--bmc', 'r', '--console', 'sol:i');
    const described = names(seen, 'fail');
    expect(described).toContain('power');
    expect(described).not.toContain('ssh');
  });

  it('writes down the ways to power of a file, and takes no BMC beside it', async () => {
    const outlet = await startOutlet();
    try {
      const powerFile = join(folder, 'power.yaml');
      const settings = labOutlet(outlet, folder);
      writeFileSync(powerFile, stringify({ power: settings }));
      answers = ['yes'];
      const { checks } = await add(...withConsole(), '--power-file', powerFile);
      expect(checks.find(({ name }) => name === 'power')).toMatchObject({ verdict: 'pass' });
      const config = parse(readFileSync(configFile, 'utf8')) as { machines: [{ power: unknown }] };
      expect(config.machines[0].power).toEqual(settings);
    } finally {
      await outlet.stop();
    }
    writeFileSync(
      configFile,
      `${readFileSync(configFile, 'utf8').replace(/^machines:[^]*$/m, '')}bmcs: {x: {protocol: ipmi, host: 127.0.0.1, user: lab, passwordFile: token}}\n`,
    );
    await expect(add('--bmc', 'x', '--power-file', 'f')).rejects.toThrow('--bmc and --power-file: give one of the two');
  });

  it('acts on nothing before its name was typed', async () => {
    answers = ['yes', 'epyc-2'];
    await expect(add('--act')).rejects.toThrow('"epyc-2" is not epyc-1; nothing was done to epyc-1');
    expect(lab.fake.boots).toBe(0);
  });

  it('gets what the options say of its account', () => {
    const { add: options } = readOptions('add x --config c --host h --key k --user lab --sudo'.split(' '));
    const hostKey = { publicKey: 'ssh-ed25519 AAAA', fingerprint: 'SHA256:x' };
    expect(newMachine('x', options, hostKey, { machines: [], bmcs: {} })).toMatchObject({
      shell: { user: 'lab', sudo: true },
    });
  });

  it('asks for a further way to power by its own name, before anything is done', async () => {
    const outlet = await startOutlet();
    try {
      const { fingerprint } = await readHostKey('127.0.0.1', lab.fake.ssh.port, 5000);
      await add('--fingerprint', fingerprint, ...withConsole());
      const settings = labOutlet(outlet, folder);
      const config = parse(readFileSync(configFile, 'utf8')) as { machines: object[] };
      config.machines = config.machines.map((machine) => ({ ...machine, power: [settings, settings] }));
      writeFileSync(configFile, JSON.stringify(config));
      outlet.onChange = (state) => {
        if (state === 'off') lab.fake.goDown();
        else void lab.fake.power.reset();
      };
      // Each is a program of its own, which lets go of the agent's folder when it ends.
      const ended = (): void => rmSync(join(folder, 'state', 'agent.pid'));
      answers = ['epyc-1', 'epyc-1'];
      await expect(run('check', 'epyc-1', '--act')).rejects.toThrow('"epyc-1" is not epyc-1/power-2; nothing was done');
      ended();
      answers = [];
      await expect(run('check', 'epyc-1', '--act', '--confirm', 'epyc-1')).rejects.toThrow(
        'not confirmed: give --confirm epyc-1,epyc-1/power-2',
      );
      ended();
      expect([lab.fake.boots, outlet.orders()]).toEqual([0, []]);
      const { checks } = await run('check', 'epyc-1', '--act', '--confirm', 'epyc-1,epyc-1/power-2');
      expect(names(checks, 'pass')).toEqual(
        expect.arrayContaining(['power-1', 'power-2', 'power-cycle-1', 'power-cycle-2', 'fallback']),
      );
      expect(outlet.orders()).toEqual(['off', 'on', 'off', 'on']);
    } finally {
      await outlet.stop();
    }
  });

  it.each([
    [['--key', ''], /key/],
    [['--console', 'sol'], /--console sol needs --bmc/],
    [['--console', 'usb'], /--console usb: expected sol, sol:BMC, tcp:HOST:PORT or file:PATH/],
    [['--console', 'sol:x'], /--console sol:x: the config describes none; add it under bmcs: first/],
    [['--bmc', 'x'], /--bmc x: the config describes none; add it under bmcs: first/],
    [['--labels', 'nic'], /--labels nic: expected KEY=VALUE/],
    [['--port', '0'], /--port 0: expected a number from 1 to 65535/],
  ])('says what is wrong with %j', async (more, message) => {
    await expect(add(...more)).rejects.toThrow(message);
  });

  it.each([
    [['remove', 'a', '--config', 'x'], 'expected "add", "check" or "configure", not "remove"'],
    [['check', '--config', 'x'], 'expected the name of one machine'],
    [['check', 'a'], '--config is missing'],
    [['check', 'a', '--config', 'x', '--host', 'h'], '--host belongs to add'],
    [
      ['check', 'a', '--config', 'x', '--confirm', 'a,b/power-2'],
      '--confirm b/power-2 is not the name of the machine, a',
    ],
    [['check', 'a', '--config', 'x', '--confirm', 'b'], '--confirm b is not the name of the machine, a'],
  ])('%j is refused', (argv, message) => {
    expect(() => readOptions(argv)).toThrow(message);
  });
});
