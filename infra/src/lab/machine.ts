import { rotateLog, boundLog } from '@peerlab/runtime';
import { access, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Accelerator } from './accelerator.js';
import type { PreparedMachine } from './agent-machines.js';
import { hasLoginPrompt, logLength } from './console-log.js';
import {
  deviceMemoryFiles,
  firmwareOf,
  type MachineDefinition,
  type MachinePaths,
  qemuArguments,
  type ServerHardware,
  type ServerPorts,
} from './definition.js';
import { type DiskImage, ensureDeviceMemory, makeDisk } from './disk.js';
import { makeFreshOverlay, readDiskState } from './disk-overlay.js';
import { Emulator } from './emulator.js';
import { LabError } from './errors.js';
import { withTrustedCertificate } from './firmware-variables.js';
import { ensureKeyPair, type KeyPair, type SiteKey } from './keys.js';
import { machinePaths, makePrivateDirectory } from './paths.js';
import { assertPortFree } from './ports.js';
import { answersSsh } from './ssh-banner.js';
import { type PowerOrder, VirtualBmc } from './virtual-bmc.js';

/** `ssh`: answers over SSH. `starting`: powered on, no answer yet. `down`: QEMU does not run. */
export type MachineState = 'starting' | 'ssh' | 'down';
export type Report = (state: MachineState, reason: string) => void;

const PROMPT_POLL_MS = 200;
/**
 * Interval of SSH probes while no login prompt has appeared. Rare, because QEMU keeps connections that come before
 * sshd and passes them all to it at once, which costs an emulated boot seconds.
 */
const PROBE_WITHOUT_PROMPT_MS = 90_000;
const ADOPTED_PROBE_MS = 10_000;
/** First pause before a QEMU that ended is started again; doubled each time, up to the longest. */
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** A QEMU that ran this long resets the pause. */
const HEALTHY_MS = 60_000;
/** QEMU sends several events for one reset; later ones within this time are ignored. */
const RESET_ECHO_MS = 500;
/**
 * Maximum size of a console log on the host's disk, and of the previous one. A boot writes 30 KiB; the agent reads
 * the log at most a few MiB behind its end.
 */
const CONSOLE_LOG_MAX_BYTES = 128 << 20;
/** A larger log is replaced when the lab starts a machine, because no agent reads it then. */
const CONSOLE_LOG_REPLACE_BYTES = 64 << 20;
/** Maximum size of QEMU's own log: a guest can make some devices repeat their warnings without end. */
const EMULATOR_LOG_MAX_BYTES = 16 << 20;
/** Interval of the checks of log sizes: a console that prints 100 MB a second adds 25 MB. */
const LOG_CHECK_MS = 250;

/** One virtual machine: makes its files, keeps its QEMU running and bounds its logs. */
export class VirtualMachine {
  readonly paths: MachinePaths;
  private emulator: Emulator | null = null;
  private readonly stopping = new AbortController();
  private watching: Promise<void> = Promise.resolve();
  private generation = 0;
  private bootBeganAt = 0;
  private args: string[] = [];
  /** Of a server; null for a plain machine. */
  private readonly bmc: VirtualBmc | null;
  /** A server that is switched off stays off until its BMC is told to switch it on. */
  private isOff = false;
  private switchOn: () => void = () => undefined;
  private settleFirstBoot: () => void = () => undefined;
  /** Resolves when the machine answers for the first time or is stopped before. */
  readonly firstBoot = new Promise<void>((resolve) => (this.settleFirstBoot = resolve));

  constructor(
    readonly definition: MachineDefinition,
    stateDir: string,
    readonly sshPort: number,
    private readonly report: Report,
    readonly serverPorts: ServerPorts | null = null,
  ) {
    this.paths = machinePaths(stateDir, definition.name);
    this.bmc = serverPorts === null ? null : new VirtualBmc(this.paths, serverPorts, (order) => this.obey(order));
  }

  /**
   * Creates what is missing: folder, keys, disk, device memory. Replaces a disk that was made from another image,
   * after ending its QEMU, and what its firmware remembers. Adopts a QEMU that runs already; without one, `start` uses a fresh disk.
   */
  async prepare(
    image: DiskImage,
    accelerator: Accelerator,
    clientKey: KeyPair,
    site: SiteKey | null,
  ): Promise<PreparedMachine> {
    const { paths, definition } = this;
    await makePrivateDirectory(paths.dir);
    if (dirname(paths.powerSocket) !== paths.dir) {
      await makePrivateDirectory(dirname(dirname(paths.powerSocket)));
      await makePrivateDirectory(dirname(paths.powerSocket));
    }
    this.args = qemuArguments(definition, paths, accelerator, this.sshPort, this.serverPorts);
    await this.bmc?.prepare();
    const hostKey = await ensureKeyPair(join(paths.dir, 'ssh_host_key'), definition.name);
    const { kernelArguments } = definition;
    const trusted = definition.server?.secureBoot === true ? site : null;
    const origin = JSON.stringify({
      image: image.manifest.key,
      client: clientKey.publicKey,
      kernelArguments,
      ...(trusted === null ? {} : { trusted: trusted.certificate.toString('base64') }),
    });
    const originFile = join(paths.dir, 'disk.json');
    const current = await readFile(originFile, 'utf8').catch(() => '');
    const usable = current === origin && (await exists(paths.disk));
    this.emulator = await Emulator.adopt(usable ? this.args : null, paths, (event, data) => this.onEvent(event, data));
    if (!usable) {
      await makeDisk(image, paths.disk, {
        name: definition.name,
        hostKey,
        clientPublicKey: clientKey.publicKey,
        kernelArguments: definition.server === undefined ? kernelArguments : null,
      });
      if (definition.server !== undefined)
        await writeFirmwareVariables(paths.firmwareVariables, definition.server, trusted);
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
      bmc:
        this.bmc === null || this.serverPorts === null
          ? null
          : { port: this.serverPorts.ipmi, passwordFile: this.bmc.passwordFile },
    };
  }

  /** Starts QEMU unless one was adopted, and keeps it running until `stop` or `release`. */
  async start(): Promise<void> {
    await this.bmc?.start();
    if (this.emulator === null) {
      if ((await logLength(this.paths.consoleLog)) > CONSOLE_LOG_REPLACE_BYTES) await rotateLog(this.paths.consoleLog);
      await makeFreshOverlay(this.paths);
      this.watchBoot('power on', await this.launch());
      await this.bmc?.setPower(true);
    } else this.watchBoot(`adopted (process ${this.emulator.pid})`, await logLength(this.paths.consoleLog), true);
    this.watching = Promise.all([this.keepRunning(), this.boundLogs()]).then(() => undefined);
  }

  /** Starts QEMU. @returns length of the console log before the boot */
  private async launch(): Promise<number> {
    const length = await logLength(this.paths.consoleLog);
    const emulator = await Emulator.start(this.args, this.paths, (event, data) => this.onEvent(event, data));
    this.emulator = emulator;
    this.isOff = false;
    await this.bmc?.setPower(true);
    return length;
  }

  private async keepRunning(): Promise<void> {
    let pauseMs = PAUSE_MS;
    let startedAt = Date.now();
    while (!this.stopping.signal.aborted) {
      await this.emulator?.ended;
      if (this.stopping.signal.aborted) return;
      this.generation++;
      if (this.isOff) {
        await this.waitForPower();
        if (this.stopping.signal.aborted) return;
      }
      const discards = (await readDiskState(this.paths.diskState)) === 'discard';
      // The agent ended a running QEMU, or the BMC did: a power cycle, which needs no pause.
      if ((!discards && !this.isOff) || this.emulator === null) {
        if (Date.now() - startedAt > HEALTHY_MS) pauseMs = PAUSE_MS;
        this.report('down', `QEMU exited; restarting it in ${pauseMs / 1000} s`);
        await delay(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
        if (this.stopping.signal.aborted) return;
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
      startedAt = Date.now();
      try {
        if (discards) await makeFreshOverlay(this.paths);
        this.watchBoot(discards ? 'power on with a fresh disk' : 'restarted', await this.launch());
      } catch (error) {
        this.emulator = null;
        this.report('down', (error as Error).message);
      }
    }
  }

  /** Keeps the machine's logs below their maximum size until `stop` or `release`. */
  private async boundLogs(): Promise<void> {
    const limits = [
      [this.paths.consoleLog, CONSOLE_LOG_MAX_BYTES],
      [this.paths.emulatorLog, EMULATOR_LOG_MAX_BYTES],
    ] as const;
    while (!this.stopping.signal.aborted) {
      for (const [file, maxBytes] of limits) {
        // The disk may be full now and have room at the next check.
        await boundLog(file, maxBytes).catch(() => null);
      }
      await delay(LOG_CHECK_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  /** A server was switched off: it stays so until its BMC switches it on, or the lab stops. */
  private async waitForPower(): Promise<void> {
    const on = new Promise<void>((resolve) => (this.switchOn = resolve));
    await this.bmc?.setPower(false);
    this.report('down', 'switched off');
    await Promise.race([on, aborted(this.stopping.signal)]);
  }

  /** What the BMC of a server is told. A reset of one that is off does nothing, as on real ones. */
  private obey(order: PowerOrder): void {
    if (order === 'on') this.switchOn();
    else if (!this.isOff && this.emulator !== null) {
      const { emulator } = this;
      if (order === 'off') this.isOff = true;
      const done =
        order === 'off' ? emulator.stop() : emulator.command(order === 'reset' ? 'system_reset' : 'system_powerdown');
      done.catch((error: unknown) => this.report('starting', `the BMC's order "${order}" failed: ${String(error)}`));
    }
  }

  private onEvent(event: string, data: unknown): void {
    // The system switched itself off. A plain machine has nothing that would switch it on again.
    if (event === 'SHUTDOWN' && this.bmc !== null && isByGuest(data)) this.isOff = true;
    if (event === 'RESET' && Date.now() - this.bootBeganAt > RESET_ECHO_MS) {
      this.bootBeganAt = Date.now();
      void logLength(this.paths.consoleLog).then((length) => this.watchBoot('reset', length));
    }
    if (event === 'WATCHDOG') this.report('starting', 'the watchdog expired');
  }

  /**
   * Reports `starting`, then `ssh` when the machine answers. A later reset cancels the second report.
   * @param logStart length of the console log when the boot began
   */
  private watchBoot(reason: string, logStart: number, adopted = false): void {
    const generation = ++this.generation;
    const startedAt = Date.now();
    this.bootBeganAt = startedAt;
    this.report('starting', reason);
    const probe = async (): Promise<void> => {
      // The prompt of a machine that was running already may be far back in the log.
      let probeAt = adopted ? 0 : Date.now() + PROBE_WITHOUT_PROMPT_MS;
      for (;;) {
        if (generation !== this.generation || this.stopping.signal.aborted) return;
        if (Date.now() > probeAt || (await hasLoginPrompt(this.paths.consoleLog, logStart))) {
          if (await answersSsh(this.sshPort)) break;
          probeAt = Date.now() + (adopted ? ADOPTED_PROBE_MS : PROBE_WITHOUT_PROMPT_MS);
        }
        await delay(PROMPT_POLL_MS);
      }
      if (generation !== this.generation || this.stopping.signal.aborted) return;
      this.report('ssh', `after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
      this.settleFirstBoot();
    };
    void probe();
  }

  /** Stops QEMU and all watching. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.settleFirstBoot();
    const emulator = this.emulator;
    await emulator?.stop();
    await this.watching;
    await this.bmc?.stop();
    // keepRunning() may have been restarting it.
    if (this.emulator !== emulator) await this.emulator?.stop();
    if (this.emulator === null) return;
    this.report('down', 'stopped');
  }

  /** Stops all watching and leaves QEMU running. */
  release(): void {
    this.stopping.abort();
    this.settleFirstBoot();
    this.emulator?.release();
  }
}

const isByGuest = (data: unknown): boolean =>
  typeof data === 'object' && data !== null && 'guest' in data && data.guest === true;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** What the memory of a server's firmware begins with. @param trusted whose certificate it trusts beside the vendors' */
async function writeFirmwareVariables(file: string, server: ServerHardware, trusted: SiteKey | null): Promise<void> {
  const { variables } = firmwareOf(server);
  const memory = await readFile(variables).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new LabError(`${variables} is missing`, 'apt-get install ovmf');
  });
  await writeFile(file, trusted === null ? memory : withTrustedCertificate(memory, trusted.certificate));
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
