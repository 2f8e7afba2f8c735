import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_NONCE, FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { makeToyKernel } from '../fake/toy-kernel.js';
import { readKernelCatalogue } from '../catalogue/kernel-catalogue.js';
import { configure } from './configure.js';
import { OptionError, readOptions } from './options.js';

let folder: string;
let lab: FakeLab;
let configFile: string;
let kernelDir: string;
let told: string[] = [];
const signal = AbortSignal.timeout(120_000);
const NEEDS = '@config\n# Linux 6.1\nCONFIG_PCI=y\nCONFIG_PCI_P2PDMA=y\nCONFIG_NVME=m\n@modules\nnvme\n';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-configure-'));
  lab = await startFakeLab(folder);
  const toy = makeToyKernel(folder);
  ({ kernelDir } = toy);
  const { port, hostKey } = lab.fake.ssh;
  configFile = join(folder, 'agent.yaml');
  const config = {
    controller: 'http://127.0.0.1:1',
    tokenFile: 'token',
    name: 'lab-1',
    stateDir: 'state',
    cacheDir: toy.cacheDir,
    kernelDir,
    machines: [
      {
        name: 'epyc-1',
        shell: { driver: 'ssh', host: '127.0.0.1', port, privateKeyFile: join(folder, 'key'), hostKey },
      },
    ],
  };
  writeFileSync(configFile, JSON.stringify(config));
  told = [];
  say(NEEDS);
});
afterEach(async () => {
  await lab.fake.stop();
  await rm(folder, { recursive: true });
});

/** What the machine answers when it is asked for its needs. */
function say(needs: string): void {
  lab.fake.answers.set('machine-needs', (channel) => {
    channel.write(needs);
    channel.exit(0);
  });
}
const run = (...argv: string[]): ReturnType<typeof configure> =>
  configure(
    readOptions(['configure', 'epyc-1', '--config', configFile, ...argv]),
    { tell: (text) => void told.push(text) },
    signal,
    FAKE_PACE,
  );

describe('peerlab machine configure', () => {
  it('makes a configuration of the machine that runs can name, and says what differs', async () => {
    const made = await run();
    expect(made).toEqual({
      config: 'epyc-1',
      file: join(kernelDir, 'config/epyc-1.config'),
      differences: [' MODULE_SIG y -> n', '+TOY y'],
      off: [{ setting: 'CONFIG_HSA_AMD_P2P', why: 'it is not set' }],
    });
    const text = readFileSync(made.file, 'utf8');
    expect(text).toMatch(/^# whole: yes$/m);
    expect(text).toContain('CONFIG_PCI=y');
    expect(text).not.toContain('NVME');
    const { configs } = readKernelCatalogue(kernelDir);
    expect(configs).toContainEqual({
      name: 'epyc-1',
      about: 'of a machine: epyc-1, 0 modules',
      bootFactor: 2,
      builtAs: expect.stringMatching(/^whole-[0-9a-f]{16}$/),
      machine: 'epyc-1',
    });
    expect(told).toContainEqual(expect.stringMatching(/^CONFIG_HSA_AMD_P2P is off: it is not set; /));
    expect(told.at(-1)).toContain('runs name it: "config: epyc-1", or "config: machine"');
    expect(lab.fake.boots).toBe(0);
    // Again, after the machine got another disk.
    await run('--all-modules');
    expect(readFileSync(made.file, 'utf8')).toContain('CONFIG_NVME=m');
  });

  it('writes nothing when what the machine says is no configuration', async () => {
    say(NEEDS.replace('CONFIG_PCI=y', 'CONFIG_LOCALVERSION="$(shell touch /tmp/x)"'));
    await expect(run('--as', 'other')).rejects.toThrow(/line 2 of the configuration is no setting/);
    say('x'.repeat(3 * 1024 ** 2));
    await expect(run('--as', 'other')).rejects.toThrow(/more than/);
    lab.fake.answers.set('machine-needs', (channel) => {
      channel.writeError('neither /boot/config-6.1 nor /proc/config.gz is there\n');
      channel.exit(1);
    });
    await expect(run('--as', 'other')).rejects.toThrow('neither /boot/config-6.1 nor /proc/config.gz is there');
    expect(existsSync(join(kernelDir, 'config/other.config'))).toBe(false);
  });

  it('leaves the other configurations alone, and asks nobody then', async () => {
    await expect(run('--as', 'coverage')).rejects.toThrow(OptionError);
    expect(lab.fake.commands).toEqual([]);
  });

  it('takes no configuration of a kernel under test', async () => {
    lab.fake.running = 'candidate';
    lab.fake.customConfig = `if linux /k root=/dev/vda1 peerlab.nonce=${FAKE_NONCE}; then true; else reboot; fi`;
    await expect(run()).rejects.toThrow(/runs a kernel under test/);
  });

  it.each([
    [['--host', 'x'], '--host belongs to add; configure reads the config'],
    [['--act'], 'configure changes nothing on the machine'],
    [['--as', 'EPYC 1'], '"EPYC 1" cannot name a configuration'],
    [['--as', 'machine'], `"config: machine" is each machine's own configuration`],
  ])('says what is wrong with %j', (argv, message) => {
    expect(() => readOptions(['configure', 'epyc-1', '--config', 'f', ...argv])).toThrow(message);
  });
  it('has options of its own', () => {
    expect(() => readOptions(['check', 'm', '--config', 'f', '--as', 'n'])).toThrow('--as belongs to configure');
  });
});
