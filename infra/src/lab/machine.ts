import { access, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Accelerator } from './accelerator.js';
import type { PreparedMachine } from './agent-machines.js';
import { type MachineDefinition, type MachinePaths, qemuArguments } from './definition.js';
import { type DiskImage, ensureDeviceMemory, makeDisk } from './disk.js';
import { Emulator } from './emulator.js';
import { ensureKeyPair, type KeyPair } from './keys.js';
import { machinePaths, makePrivateDirectory } from './paths.js';
import { assertPortFree } from './ports.js';
import { answersSsh } from './ssh-banner.js';

/** `ssh`: answers over SSH. `starting`: powered on, not there yet. `down`: QEMU does not run. */
export type MachineState = 'starting' | 'ssh' | 'down';
export type Report = (state: MachineState, reason: string) => void;

const PROBE_MS = 300;
/** First pause before a QEMU that ended is started again; doubled each time, up to the longest. */
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** A QEMU that lived this long counts as healthy again. */
const HEALTHY_MS = 60_000;
/** QEMU announces one reset several times over. */
const RESET_ECHO_MS = 500;
/** Beyond it the console log starts anew when QEMU does; the agent has long taken what it needs. */
const CONSOLE_LOG_MAX_BYTES = 64 << 20;

/** One virtual machine: its files, its QEMU, and the care for both. */
export class VirtualMachine {
  readonly paths: MachinePaths;
  private emulator: Emulator | null = null;
  private readonly stopping = new AbortController();
  private watching: Promise<void> = Promise.resolve();
  private generation = 0;
  private bootBeganAt = 0;
  private args: string[] = [];

  constructor(
    readonly definition: MachineDefinition,
    stateDir: string,
    readonly sshPort: number,
    private readonly report: Report,
  ) {
    this.paths = machinePaths(stateDir, definition.name);
  }

  /**
   * Makes what is missing: folder, keys, disk, device memory. A disk that was made from another image is
   * made anew, after its QEMU was ended. Adopts a QEMU that runs already.
   */
  async prepare(image: DiskImage, accelerator: Accelerator, clientKey: KeyPair): Promise<PreparedMachine> {
    const { paths, definition } = this;
    await makePrivateDirectory(paths.dir);
    if (dirname(paths.powerSocket) !== paths.dir) {
      await makePrivateDirectory(dirname(dirname(paths.powerSocket)));
      await makePrivateDirectory(dirname(paths.powerSocket));
    }
    this.args = qemuArguments(definition, paths, accelerator, this.sshPort);
    const hostKey = await ensureKeyPair(join(paths.dir, 'ssh_host_key'), definition.name);
    const origin = JSON.stringify({ image: image.manifest.key, client: clientKey.publicKey });
    const originFile = join(paths.dir, 'disk.json');
    const current = await readFile(originFile, 'utf8').catch(() => '');
    const usable = current === origin && (await exists(paths.disk));
    this.emulator = await Emulator.adopt(usable ? this.args : null, paths, (event) => this.onEvent(event));
    if (!usable) {
      await makeDisk(image, paths.disk, { name: definition.name, hostKey, clientPublicKey: clientKey.publicKey });
      await writeFile(originFile, origin);
    }
    await ensureDeviceMemory(paths.deviceMemory, definition.deviceMemoryMiB << 20);
    if (this.emulator === null) await assertPortFree(this.sshPort, definition.name);
    return {
      definition,
      paths,
      sshPort: this.sshPort,
      privateKeyFile: clientKey.file,
      hostKey: hostKey.publicKey,
    };
  }

  /** Starts QEMU, or goes on with the adopted one, and keeps it running until `stop` or `release`. */
  async start(): Promise<void> {
    const adopted = this.emulator !== null;
    if (this.emulator === null) await this.launch();
    this.watchBoot(adopted ? `adopted (process ${this.emulator?.pid})` : 'power on');
    this.watching = this.keepRunning();
  }

  private async launch(): Promise<void> {
    const size = await stat(this.paths.consoleLog).then(
      (found) => found.size,
      () => 0,
    );
    if (size > CONSOLE_LOG_MAX_BYTES) await rename(this.paths.consoleLog, `${this.paths.consoleLog}.1`);
    this.emulator = await Emulator.start(this.args, this.paths, (event) => this.onEvent(event));
  }

  private async keepRunning(): Promise<void> {
    let pauseMs = PAUSE_MS;
    let startedAt = Date.now();
    while (!this.stopping.signal.aborted) {
      await this.emulator?.ended;
      if (this.stopping.signal.aborted) return;
      this.generation++;
      if (Date.now() - startedAt > HEALTHY_MS) pauseMs = PAUSE_MS;
      this.report('down', `QEMU ended by itself; starting it again in ${pauseMs / 1000} s`);
      await delay(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.stopping.signal.aborted) return;
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      startedAt = Date.now();
      try {
        await this.launch();
        this.watchBoot('started again');
      } catch (error) {
        this.emulator = null;
        this.report('down', (error as Error).message);
      }
    }
  }

  private onEvent(event: string): void {
    if (event === 'RESET' && Date.now() - this.bootBeganAt > RESET_ECHO_MS) this.watchBoot('reset');
    if (event === 'WATCHDOG') this.report('starting', 'the watchdog expired');
  }

  /** Reports `starting`, then `ssh` as soon as the machine answers, unless it was reset again before. */
  private watchBoot(reason: string): void {
    const generation = ++this.generation;
    const startedAt = Date.now();
    this.bootBeganAt = startedAt;
    this.report('starting', reason);
    const probe = async (): Promise<void> => {
      for (;;) {
        if (generation !== this.generation || this.stopping.signal.aborted) return;
        if (await answersSsh(this.sshPort)) break;
        await delay(PROBE_MS);
      }
      if (generation === this.generation && !this.stopping.signal.aborted)
        this.report('ssh', `after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
    };
    void probe();
  }

  /** Ends QEMU and the care for it. */
  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.emulator === null) return;
    await this.emulator.stop();
    await this.watching;
    this.report('down', 'stopped');
  }

  /** Ends the care, QEMU runs on. */
  release(): void {
    this.stopping.abort();
    this.emulator?.release();
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
