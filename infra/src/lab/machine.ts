import { access, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Accelerator } from './accelerator.js';
import type { PreparedMachine } from './agent-machines.js';
import { beginLogAnew, boundLog } from './bounded-log.js';
import { hasLoginPrompt, logLength } from './console-log.js';
import { deviceMemoryFiles, type MachineDefinition, type MachinePaths, qemuArguments } from './definition.js';
import { type DiskImage, ensureDeviceMemory, makeDisk } from './disk.js';
import { makeFreshOverlay, readDiskState } from './disk-overlay.js';
import { Emulator } from './emulator.js';
import { ensureKeyPair, type KeyPair } from './keys.js';
import { machinePaths, makePrivateDirectory } from './paths.js';
import { assertPortFree } from './ports.js';
import { answersSsh } from './ssh-banner.js';

/** `ssh`: answers over SSH. `starting`: powered on, not there yet. `down`: QEMU does not run. */
export type MachineState = 'starting' | 'ssh' | 'down';
export type Report = (state: MachineState, reason: string) => void;

const PROMPT_POLL_MS = 200;
/**
 * A machine whose prompt does not show up is asked all the same, but rarely: QEMU keeps every connection
 * that was made too early and hands them all to sshd at once, which costs an emulated boot seconds.
 */
const IMPATIENT_PROBE_MS = 90_000;
const ADOPTED_PROBE_MS = 10_000;
/** First pause before a QEMU that ended is started again; doubled each time, up to the longest. */
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** A QEMU that lived this long counts as healthy again. */
const HEALTHY_MS = 60_000;
/** QEMU announces one reset several times over. */
const RESET_ECHO_MS = 500;
/**
 * Most that the record of a console takes on the host's disk, and what is kept of the one before it. A boot
 * writes 30 KiB; the agent reads along and is at most a few MiB behind.
 */
const CONSOLE_LOG_MAX_BYTES = 128 << 20;
/** Above it the record begins anew when the lab starts a machine: nothing reads along then. */
const CONSOLE_LOG_ANEW_BYTES = 64 << 20;
/** Warnings of QEMU, which some devices repeat as often as a guest provokes them. */
const EMULATOR_LOG_MAX_BYTES = 16 << 20;
/** A console of 100 MB a second adds 25 MB between two looks. */
const LOG_LOOK_MS = 250;

/** One virtual machine: its files, its QEMU, and the care for both. */
export class VirtualMachine {
  readonly paths: MachinePaths;
  private emulator: Emulator | null = null;
  private readonly stopping = new AbortController();
  private watching: Promise<void> = Promise.resolve();
  private generation = 0;
  private bootBeganAt = 0;
  private args: string[] = [];
  private settleFirstBoot: () => void = () => undefined;
  /** Settles when the machine has answered for the first time, or never will because it is being stopped. */
  readonly firstBoot = new Promise<void>((resolve) => (this.settleFirstBoot = resolve));

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
   * made anew, after its QEMU was ended. Adopts a QEMU that runs already; any other start of the lab
   * is one on a fresh disk.
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
    const { kernelArguments } = definition;
    const origin = JSON.stringify({ image: image.manifest.key, client: clientKey.publicKey, kernelArguments });
    const originFile = join(paths.dir, 'disk.json');
    const current = await readFile(originFile, 'utf8').catch(() => '');
    const usable = current === origin && (await exists(paths.disk));
    this.emulator = await Emulator.adopt(usable ? this.args : null, paths, (event) => this.onEvent(event));
    if (!usable) {
      await makeDisk(image, paths.disk, {
        name: definition.name,
        hostKey,
        clientPublicKey: clientKey.publicKey,
        kernelArguments,
      });
      await writeFile(originFile, origin);
    }
    for (const file of deviceMemoryFiles(definition, paths))
      await ensureDeviceMemory(file, definition.deviceMemoryMiB * 2 ** 20);
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
    if (this.emulator === null) {
      if ((await logLength(this.paths.consoleLog)) > CONSOLE_LOG_ANEW_BYTES) await beginLogAnew(this.paths.consoleLog);
      await makeFreshOverlay(this.paths);
      this.watchBoot('power on', await this.launch());
    } else this.watchBoot(`adopted (process ${this.emulator.pid})`, await logLength(this.paths.consoleLog), true);
    this.watching = Promise.all([this.keepRunning(), this.boundLogs()]).then(() => undefined);
  }

  /** Starts QEMU. @returns length of the console log before the boot */
  private async launch(): Promise<number> {
    const length = await logLength(this.paths.consoleLog);
    const emulator = await Emulator.start(this.args, this.paths, (event) => this.onEvent(event));
    this.emulator = emulator;
    return length;
  }

  private async keepRunning(): Promise<void> {
    let pauseMs = PAUSE_MS;
    let startedAt = Date.now();
    while (!this.stopping.signal.aborted) {
      await this.emulator?.ended;
      if (this.stopping.signal.aborted) return;
      this.generation++;
      const discards = (await readDiskState(this.paths.diskState)) === 'discard';
      // Asked for by the agent, of a QEMU that ran: a power cycle, which waits for nothing.
      if (!discards || this.emulator === null) {
        if (Date.now() - startedAt > HEALTHY_MS) pauseMs = PAUSE_MS;
        this.report('down', `QEMU ended by itself; starting it again in ${pauseMs / 1000} s`);
        await delay(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
        if (this.stopping.signal.aborted) return;
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
      startedAt = Date.now();
      try {
        if (discards) await makeFreshOverlay(this.paths);
        this.watchBoot(discards ? 'power on with a fresh disk' : 'started again', await this.launch());
      } catch (error) {
        this.emulator = null;
        this.report('down', (error as Error).message);
      }
    }
  }

  /** Keeps what a machine can print from filling the host's disk, until `stop` or `release`. */
  private async boundLogs(): Promise<void> {
    const limits = [
      [this.paths.consoleLog, CONSOLE_LOG_MAX_BYTES],
      [this.paths.emulatorLog, EMULATOR_LOG_MAX_BYTES],
    ] as const;
    while (!this.stopping.signal.aborted) {
      for (const [file, maxBytes] of limits) {
        // A disk that refuses the small file beside the log may have room at the next look.
        await boundLog(file, maxBytes).catch(() => null);
      }
      await delay(LOG_LOOK_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  private onEvent(event: string): void {
    if (event === 'RESET' && Date.now() - this.bootBeganAt > RESET_ECHO_MS) {
      this.bootBeganAt = Date.now();
      void logLength(this.paths.consoleLog).then((length) => this.watchBoot('reset', length));
    }
    if (event === 'WATCHDOG') this.report('starting', 'the watchdog expired');
  }

  /**
   * Reports `starting`, then `ssh` as soon as the machine answers, unless it was reset again before.
   * @param logStart length of the console log when the boot began
   */
  private watchBoot(reason: string, logStart: number, adopted = false): void {
    const generation = ++this.generation;
    const startedAt = Date.now();
    this.bootBeganAt = startedAt;
    this.report('starting', reason);
    const probe = async (): Promise<void> => {
      // A machine that ran already may have shown its prompt long ago.
      let asking = adopted ? 0 : Date.now() + IMPATIENT_PROBE_MS;
      for (;;) {
        if (generation !== this.generation || this.stopping.signal.aborted) return;
        if (Date.now() > asking || (await hasLoginPrompt(this.paths.consoleLog, logStart))) {
          if (await answersSsh(this.sshPort)) break;
          asking = Date.now() + (adopted ? ADOPTED_PROBE_MS : IMPATIENT_PROBE_MS);
        }
        await delay(PROMPT_POLL_MS);
      }
      if (generation !== this.generation || this.stopping.signal.aborted) return;
      this.report('ssh', `after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
      this.settleFirstBoot();
    };
    void probe();
  }

  /** Ends QEMU and the care for it. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.settleFirstBoot();
    const emulator = this.emulator;
    await emulator?.stop();
    await this.watching;
    // One that was just being started again.
    if (this.emulator !== emulator) await this.emulator?.stop();
    if (this.emulator === null) return;
    this.report('down', 'stopped');
  }

  /** Ends the care, QEMU runs on. */
  release(): void {
    this.stopping.abort();
    this.settleFirstBoot();
    this.emulator?.release();
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
