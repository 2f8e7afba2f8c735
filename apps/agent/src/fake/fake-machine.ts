import { randomUUID } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import type { FenceMode, MachineFence } from '../machine/fence.js';
import type { Disk, Power } from '../machine/protocols.js';
import type { FakeChannel, FakeSshServer } from './fake-ssh-server.js';

/** What a kernel under test does when it is booted. */
export type FakeBoot =
  | 'up'
  | 'panic'
  /** The hardware stops it. */
  | 'machine-check'
  | 'no-root'
  | 'hang'
  /** It comes up to its login prompt, without a network card. */
  | 'no-network'
  | 'garbage'
  | 'silent-reset'
  | 'wrong-build'
  | 'lost-forever';

/** What one test of a fake suite does. */
export interface FakeTest {
  id: string;
  act:
    | 'pass'
    | 'fail'
    | 'skip'
    | 'oops'
    | 'oops-before-announcing'
    | 'machine-check'
    | 'hang'
    | 'drop-link'
    | 'lose-network'
    | 'exit'
    | 'warn'
    | 'oracle';
  proof?: object;
  /** Lines that it prints between its announcement and its act, asked for at each run. */
  output?: () => string[];
}

/** What a fake machine did, in order, for tests that compare it with what the farm recorded. */
export type FakeEvent =
  /** A command that was carried out. `fence` and `mode` as it names them; null = it names none. */
  | {
      type: 'command';
      purpose: string;
      args: Record<string, string | number>;
      fence: number | null;
      mode: FenceMode | null;
    }
  /** The machine wrote down the fence of an attempt. */
  | { type: 'claim'; fence: number; token: string }
  /** Bytes were written over SFTP. `fence` = that of the latest fenced command on the same connection. */
  | { type: 'upload'; path: string; bytes: number; fence: number | null }
  | { type: 'up'; kernel: 'default' | 'candidate'; bootId: string; commandLine: string }
  | { type: 'down' }
  | { type: 'console'; lines: readonly string[] }
  | { type: 'kmsg'; record: string }
  /** All that one test wrote, up to and without its act. */
  | { type: 'test'; suite: string; test: string; act: FakeTest['act']; output: readonly string[] }
  /** A result line left for the agent; the connection may break before it arrives. */
  | { type: 'result'; suite: string; test: string; ok: boolean };

export interface FakeSettings {
  /** Recorded console; a real file, so that the real console driver follows it. */
  consoleFile: string;
  /** Build-id that the candidate shows in /sys/kernel/notes, hex. */
  candidateBuildId: string;
  candidateRelease: string;
}

const MACHINE_CHECK: readonly string[] = [
  '[    1.500001] mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00000000800400',
  '[    1.500002] Kernel panic - not syncing: Fatal machine check',
  '[    1.500003] Rebooting in 5 seconds..',
];

const DEFAULT = {
  release: '6.1.0-50-cloud-amd64',
  buildId: 'd0'.repeat(20),
  commandLine: 'BOOT_IMAGE=/boot/vmlinuz-6.1 root=/dev/vda1 rw console=ttyS0,115200 quiet net.ifnames=0',
};
/** What decides about the next boot and about who gets in, by path; a candidate may change it. */
const SYSTEM_FILES = {
  '/boot/grub/grub.cfg': 'set default=peerlab-default',
  '/boot/vmlinuz-6.1.0-50-cloud-amd64': 'the default kernel',
  '/usr/sbin/sshd': 'the sshd that Debian ships',
  '/root/.ssh/authorized_keys': 'ssh-ed25519 AGENT',
};
/** Long enough for connections to notice, short enough for tests. */
const BOOT_MS = 20;

/** A machine on script: it boots, crashes, hangs and fills up as told, and answers over real SSH. */
export class FakeMachine {
  running: 'default' | 'candidate' | 'none' = 'default';
  bootId: string = randomUUID();
  /** Boots since the start, the first not counted. */
  boots = 0;
  resets = 0;
  /** What the candidate does at each boot; the last one repeats. */
  candidateBoots: FakeBoot[] = ['up'];
  suites: Record<string, FakeTest[]> = {};
  memory = Buffer.alloc(8192, 0x5a);
  freeBytes = 2 * 1024 ** 3;
  grubProblem: string | null = null;
  /** What becomes of modprobe by module: `oops`, or what it says when it refuses. */
  readonly moduleProblems = new Map<string, string>();
  /** The default kernel does not come back any more. */
  defaultIsBroken = false;
  /** Asked for every request of SFTP; one that is refused gets no answer, or one that is no SFTP. */
  onSftp: (request: 'STAT' | 'OPEN' | 'WRITE' | 'CLOSE') => boolean | 'garbage' = () => true;
  /** Every written chunk has a flipped bit. */
  damageUploads = false;
  /** What a kernel does that is told to reboot. */
  wayDown: 'boots' | 'hangs' | 'crashes' | 'stays up' = 'boots';
  /** What sysrq does there. */
  sysrq: 'boots' | 'nothing' | 'refused' = 'boots';
  /** The boot loader does not see which entry was selected. */
  ignoresSelection = false;
  /** The boot loader prints nothing when it takes the candidate. */
  loaderIsSilent = false;
  /** The boot loader never clears the selection. */
  keepsSelection = false;
  /** Off and on again; null = the power cannot. */
  cycle: Power['cycle'] = null;
  /** Whether its firmware takes this image for its signature. */
  trusts: (image: Buffer) => boolean = () => true;
  /** Extra time that the default kernel takes. */
  defaultBootMs = 0;
  /** The machine boots another kernel than before by default. */
  defaultBuildId = DEFAULT.buildId;
  /** What the machine's fence file says. */
  fence: MachineFence | null = null;
  /** Commands that were refused because of it. */
  refusals = 0;
  customConfig = '';
  nextEntry: string | null = null;
  /** Files by path, as uploaded over SFTP. */
  readonly files = new Map<string, Buffer>();
  readonly installedModules = new Set<string>();
  /** Out-of-tree drivers that were unpacked, in that order. */
  readonly installedDrivers: string[] = [];
  /** Build-ids of the modules that modprobe finds, by name. */
  readonly loadedModules = new Map<string, string>();
  /** The files that it takes, where they are not in the folder of modules itself; `(builtin)` = it is none. */
  readonly moduleFiles = new Map<string, string>();
  /** Letters of their taint. */
  readonly moduleTaints = new Map<string, string>();
  /** Releases whose modules are not ours. */
  readonly foreignModules = new Set<string>();
  /** Files that no attempt has to change. */
  systemFiles = new Map<string, string>(Object.entries(SYSTEM_FILES));
  /** What the candidate does as root once it is up. */
  onCandidateUp: (machine: FakeMachine) => void = () => undefined;
  /** What the disk's owner knows of it. */
  diskState: 'fresh' | 'used' = 'fresh';
  diskResets = 0;
  /** Resets of the disk fail with this. */
  diskProblem: Error | null = null;
  /** Purposes of the commands it was given, in order. */
  readonly commands: string[] = [];
  /** PCI functions that it shows. */
  devices = ['0000:03:00.0 1af4:1110', '0000:04:00.0 1234:11e8'];
  /** A port on the way between its devices sends their traffic up to the root. */
  redirects = false;
  /** What the groups of both devices say. */
  iommuMode = '';
  /** Where another kernel sets it up in another way. */
  iommuModeOfCandidate: string | null = null;
  /** What its devices have counted, at each look at the candidate. */
  deviceErrors: string[] = [];
  /** What crashes left in its firmware, by file as `listPstore` has it; the newest last. */
  readonly pstore = new Map<string, string>();
  /** Logs of crashes that kdump saved, by folder and file. */
  readonly dumps = new Map<string, string>();
  /** What it says about Secure Boot and lockdown. */
  bootPolicy = '';
  /** What the inventory script prints. */
  inventory = '';
  /** What it says of what enrolment asks. */
  facts = '';
  /** Commands that are answered in another way than a machine does, by purpose. */
  readonly answers = new Map<string, (channel: FakeChannel, args: Record<string, string | number>) => void>();
  /** Takes the place of a test's output and act, by test id. */
  readonly programs = new Map<string, (channel: FakeChannel) => void | Promise<void>>();
  /** Told of everything that happens here. */
  onEvent: (event: FakeEvent) => void = () => undefined;
  /** Ends everything that waits inside the running kernel. */
  life = new AbortController();
  #kmsgCount = 0;
  readonly #kmsg: string[] = [];
  readonly #kmsgReaders = new Set<(record: string) => void>();

  /** @param ssh its sshd, see start-fake-machine.ts */
  constructor(
    readonly settings: FakeSettings,
    readonly ssh: FakeSshServer,
  ) {
    writeFileSync(settings.consoleFile, '');
  }

  async stop(): Promise<void> {
    this.life.abort();
    await this.ssh.close();
  }

  get power(): Power {
    return {
      name: 'power of the fake machine',
      reset: async () => {
        this.resets += 1;
        this.goDown();
        await this.#boot();
      },
      state: async () => 'on',
      cycle: this.cycle,
    };
  }

  /** The disk as its owner sees it: everything that was written to it can be thrown away. */
  get disk(): Disk {
    return {
      isFresh: async () => this.diskState === 'fresh',
      markUsed: async () => {
        this.diskState = 'used';
      },
      reset: async () => {
        if (this.diskProblem !== null) throw this.diskProblem;
        this.goDown();
        this.diskResets += 1;
        this.diskState = 'fresh';
        this.fence = null;
        this.customConfig = '';
        this.nextEntry = null;
        this.files.clear();
        this.installedModules.clear();
        this.systemFiles = new Map(Object.entries(SYSTEM_FILES));
        await this.#boot();
      },
    };
  }

  get kernel(): { release: string; buildId: string; commandLine: string } {
    if (this.running !== 'candidate') return { ...DEFAULT, buildId: this.defaultBuildId };
    const line = /if linux \S+ (.*); then true/.exec(this.customConfig)?.[1] ?? '';
    const wrong = this.candidateBoots[0] === 'wrong-build';
    return {
      release: this.settings.candidateRelease,
      buildId: wrong ? 'ee'.repeat(20) : this.settings.candidateBuildId,
      commandLine: line,
    };
  }

  console(...lines: string[]): void {
    appendFileSync(this.settings.consoleFile, lines.map((line) => `${line}\r\n`).join(''));
    this.onEvent({ type: 'console', lines });
  }

  /** A record of the kernel's log, on /dev/kmsg and on the console. */
  printk(text: string): void {
    const record = `4,${this.#kmsgCount},${this.#kmsgCount * 1000 + 1_000_000},-;${text}`;
    this.#kmsgCount += 1;
    this.#kmsg.push(record);
    this.onEvent({ type: 'kmsg', record });
    for (const reader of this.#kmsgReaders) reader(record);
    this.console(`[    1.${String(this.#kmsgCount).padStart(6, '0')}] ${text}`);
  }

  readKmsg(): string[] {
    return [...this.#kmsg];
  }

  followKmsg(reader: (record: string) => void): () => void {
    for (const record of this.#kmsg) reader(record);
    this.#kmsgReaders.add(reader);
    return () => this.#kmsgReaders.delete(reader);
  }

  /** The kernel dies with an oops, prints it, and panic= reboots. */
  oops(place: string): void {
    this.console(
      '[    2.000001] BUG: kernel NULL pointer dereference, address: 0000000000000008',
      '[    2.000002] Oops: 0002 [#1] PREEMPT SMP',
      `[    2.000003] RIP: 0010:${place}+0x21/0x40`,
      '[    2.000004] Kernel panic - not syncing: Fatal exception',
      '[    2.000005] Rebooting in 5 seconds..',
    );
    this.goDown();
    void this.#boot();
  }

  /** The hardware stops the kernel by a machine check, and panic= reboots. */
  machineCheck(): void {
    this.console(...MACHINE_CHECK);
    this.goDown();
    void this.#boot();
  }

  async reboot(): Promise<void> {
    if (this.wayDown === 'stays up') return;
    if (this.wayDown === 'crashes') {
      this.console(
        '[  900.000001] Kernel panic - not syncing: softlockup: hung tasks',
        '[  900.000002] Rebooting in 10 seconds..',
      );
    }
    this.goDown();
    if (this.wayDown !== 'hangs') await this.#boot();
  }

  /** The kernel reboots at once, whatever hangs above it. */
  async rebootBySysrq(): Promise<void> {
    if (this.sysrq !== 'boots') return;
    this.goDown();
    await this.#boot();
  }

  /** All connections are gone, the machine does not answer. */
  goDown(): void {
    this.running = 'none';
    this.life.abort();
    this.ssh.dropAll();
    this.onEvent({ type: 'down' });
  }

  async #boot(): Promise<void> {
    this.life = new AbortController();
    const { signal } = this.life;
    await new Promise((resolve) => setTimeout(resolve, BOOT_MS));
    if (signal.aborted) return;
    this.boots += 1;
    const entry = this.ignoresSelection ? null : this.nextEntry;
    if (!this.ignoresSelection && !this.keepsSelection) this.nextEntry = null;
    this.console(`peerlab-grub: booting ${entry ?? 'peerlab-default'}`);
    if (entry === null || !this.customConfig.includes(`--id ${entry} `)) {
      if (this.defaultIsBroken) return;
      await new Promise((resolve) => setTimeout(resolve, this.defaultBootMs));
      if (signal.aborted) return;
      this.#comeUp('default');
      return;
    }
    await this.#bootCandidate();
  }

  async #bootCandidate(): Promise<void> {
    const next = this.candidateBoots.length > 1 ? this.candidateBoots.shift() : this.candidateBoots[0];
    if (!this.loaderIsSilent) this.console('peerlab-grub: loading /boot/candidate');
    const image = [...this.files].find(([path]) => path.endsWith('-vmlinuz'))?.[1];
    if (image !== undefined && !this.trusts(image)) {
      this.console('error: bad shim signature.', 'peerlab-grub: the image was not loaded');
      await this.#boot();
      return;
    }
    const banner = `[    0.000000] Linux version ${this.settings.candidateRelease} (peerlab@build)`;
    switch (next) {
      case 'garbage':
        this.console('error: invalid magic number.', 'peerlab-grub: the image was not loaded');
        await this.#boot();
        return;
      case 'panic':
        this.console(banner);
        this.console(
          '[    0.900000] Kernel panic - not syncing: peerlab: panic at boot',
          '[    0.900001] Rebooting in 5 seconds..',
        );
        await this.#boot();
        return;
      case 'machine-check':
        this.console(banner, ...MACHINE_CHECK);
        await this.#boot();
        return;
      case 'no-root':
        this.console(
          banner,
          '[    1.100000] VFS: Unable to mount root fs on unknown-block(0,0)',
          '[    1.100001] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
        );
        await this.#boot();
        return;
      case 'silent-reset':
        this.console(banner);
        await this.#boot();
        return;
      case 'hang':
        this.console(banner, '[    0.500000] peerlab: now I hang');
        return;
      case 'no-network':
        this.console(
          banner,
          '[    2.100000] systemd[1]: Inserted module autofs4',
          '[  OK  ] Reached target Multi-User System.',
        );
        // A prompt has no line end.
        appendFileSync(this.settings.consoleFile, 'debian login: ');
        return;
      case 'lost-forever':
        this.console(banner);
        this.defaultIsBroken = true;
        return;
      case 'up':
      case 'wrong-build':
      case undefined:
        this.console(banner);
        this.#comeUp('candidate');
    }
  }

  #comeUp(which: 'default' | 'candidate'): void {
    this.bootId = randomUUID();
    this.running = which;
    this.#kmsg.length = 0;
    this.#kmsgCount = 0;
    this.onEvent({ type: 'up', kernel: which, bootId: this.bootId, commandLine: this.kernel.commandLine });
    this.printk(`Linux version ${this.kernel.release} (peerlab@build)`);
    if (which === 'candidate') this.onCandidateUp(this);
  }
}
