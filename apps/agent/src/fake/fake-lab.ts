import { startFakeMachine } from './start-fake-machine.js';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SOLE_ROLE, type Assignment, type BundleManifest, type DriverBuild } from '@peerlab/contracts';
import { BundleCache } from '../job/bundle-cache.js';
import type { Pace } from '../job/pace.js';
import type { TestWork } from '../job/attempt-context.js';
import { createLogFileConsole } from '../machine/drivers/console-log-file.js';
import { createInitramfs, INITRAMFS_TOOLS } from '../machine/drivers/initramfs.js';
import { createGrubBootSelect } from '../machine/drivers/grub.js';
import { createFileMemory } from '../machine/drivers/memory-file.js';
import { createSshAccess } from '../machine/drivers/ssh.js';
import type { Machine } from '../machine/protocols.js';
import { fakeArtifacts, makeFakeBundle } from './fake-bundle.js';
import { FakeMachine, type FakeTest } from './fake-machine.js';

/** Waits for a machine that boots in 20 ms, with room for a busy computer. */
export const FAKE_PACE: Pace = {
  connectTimeoutMs: 5_000,
  pollMs: 20,
  reachMs: 5_000,
  consoleMs: 5_000,
  firmwareMs: 1_000,
  recoverMs: 5_000,
  orderMs: 1_000,
  lateCrashMs: 1_000,
  crashTextMs: 1_000,
  settleMs: 50,
  devicesMs: 100,
  // An outlet waits ten seconds between off and on.
  powerMs: 30_000,
  restoreMs: 20_000,
};

export const FAKE_NONCE = '0123456789abcdef0123456789abcdef';
export const FAKE_SUITE = 'p2p-functional';

export type FakeBundle = Awaited<ReturnType<typeof makeFakeBundle>>;

export interface FakeLabOptions {
  /** Of the machine; default v-switch. */
  name?: string;
  /** What the machine is given; by default one of its own. */
  bundle?: FakeBundle;
  link?: Machine['link'];
  /** Out-of-tree drivers that its config names. */
  drivers?: string[];
  tests?: FakeTest[];
  bootSeconds?: number;
  testTimeoutSeconds?: number;
  timeoutSeconds?: number;
  power?: boolean;
  /** What the bundle has as modules.tar; by default what a build makes. */
  modules?: (release: string) => Buffer;
  /** Files of the bundle beside what every one has. */
  more?: Readonly<Record<string, Buffer>>;
  /** What the bundle's manifest says otherwise. */
  manifest?: Partial<BundleManifest>;
  /** What the assignment says of out-of-tree drivers, and their archives, by digest. */
  driverBuilds?: (release: string) => { drivers: DriverBuild[]; archives: ReadonlyMap<string, Buffer> };
  /** The machine has a disk that can be reset. */
  disk?: boolean;
  watchdog?: Machine['watchdog'];
  /** It makes an initramfs for each candidate. */
  initramfs?: boolean;
  signer?: Machine['signer'];
  /** false = a bundle from before manifests named the tests of their suites. */
  namesTests?: boolean;
}

export interface FakeLab {
  fake: FakeMachine;
  /** The fake behind the real drivers: SSH, GRUB, console file, memory file. */
  machine: Machine;
  bundles: BundleCache;
  bundle: FakeBundle;
  /** What was uploaded, by digest. */
  stored: ReadonlyMap<string, Buffer>;
  assign(attemptId?: string): Assignment & { work: TestWork };
}

const TESTS: FakeTest[] = [
  { id: 'F01.alias_returned', act: 'pass' },
  { id: 'F02.mixed_ranges', act: 'pass' },
];

/** A lab of one fake machine, with everything it needs below `folder`. */
export async function startFakeLab(folder: string, options: FakeLabOptions = {}): Promise<FakeLab> {
  const bundle =
    options.bundle ??
    (await makeFakeBundle(
      folder,
      [
        {
          name: FAKE_SUITE,
          testTimeoutSeconds: options.testTimeoutSeconds ?? 10,
          timeoutSeconds: options.timeoutSeconds ?? 30,
          tests: options.namesTests === false ? [] : (options.tests ?? TESTS).map(({ id }) => id),
        },
      ],
      options.modules,
      options.more,
      options.manifest,
    ));
  const { manifest } = bundle;
  const consoleFile = join(folder, 'console.log');
  const fake = await startFakeMachine({
    consoleFile,
    candidateBuildId: manifest.buildId,
    candidateRelease: manifest.release,
  });
  fake.suites = { [FAKE_SUITE]: structuredClone(options.tests ?? TESTS) };
  const memoryFile = join(folder, 'vram');
  writeFileSync(memoryFile, fake.memory);
  const privateKeyFile = join(folder, 'key');
  writeFileSync(privateKeyFile, fake.ssh.clientKey.private, { mode: 0o600 });
  const machine: Machine = {
    name: options.name ?? 'v-switch',
    description: 'a machine on script',
    labels: { lab: 'fake' },
    kernelArguments: [],
    firmwareMs: null,
    access: createSshAccess({
      host: '127.0.0.1',
      port: fake.ssh.port,
      user: 'root',
      privateKeyFile,
      hostKey: fake.ssh.hostKey,
    }),
    boot: createGrubBootSelect(),
    initramfs: options.initramfs === true ? createInitramfs(INITRAMFS_TOOLS) : null,
    power: options.power === false ? null : fake.power,
    otherPower: [],
    watchdog: options.watchdog ?? null,
    disk: options.disk === true ? fake.disk : null,
    console: createLogFileConsole({ logFile: consoleFile, pollMs: 10 }),
    drivers: options.drivers ?? [],
    deviceMemory: [createFileMemory({ path: memoryFile })],
    link: options.link ?? null,
    signer: options.signer ?? null,
  };
  const built = options.driverBuilds?.(manifest.release);
  const artifacts = fakeArtifacts(bundle, built?.archives);
  return {
    fake,
    machine,
    bundles: new BundleCache(join(folder, 'cache'), artifacts),
    bundle,
    stored: artifacts.stored,
    assign: (attemptId = randomUUID()) => ({
      participantId: attemptId,
      attemptId,
      role: SOLE_ROLE,
      peers: [],
      runId: randomUUID(),
      fence: 7,
      work: {
        kind: 'test',
        machine: machine.name,
        buildName: 'patched',
        bundle: { sha256: bundle.sha256, sizeBytes: bundle.sizeBytes },
        manifest,
        ...(built === undefined ? {} : { drivers: built.drivers }),
        suites: manifest.suites,
        path: {
          provider: { address: '0000:03:00.0', model: 'QEMU ivshmem' },
          client: { address: '0000:04:00.0', model: 'QEMU edu' },
          kind: 'BUS_ADDR',
          distance: 4,
          reason: 'both below one bridge',
        },
        nonce: FAKE_NONCE,
        timeouts: { bootSeconds: options.bootSeconds ?? 10, attemptSeconds: 60 },
      },
    }),
  };
}
