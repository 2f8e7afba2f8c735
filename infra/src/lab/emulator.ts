import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, isAlive, type ProcessIdentity, QmpConnection, startTimeOf, logTail } from '@peerlab/runtime';
import type { MachinePaths } from './definition.js';
import { LabError } from './errors.js';
import { QEMU } from './qemu.js';

/** Emulation uses every free cycle; controller, agent and web UI must stay responsive. */
const NICENESS = '5';
/** A look at /proc or at a socket; what is left of it is added to every start. */
const POLL_MS = 50;
/** QEMU opens its monitor within a fraction of a second, also on a busy host. */
const MONITOR_MS = 20_000;
/** Read from the end of QEMU's log to find why it did not start. */
const LAST_WORDS_BYTES = 16 << 10;

/** A QEMU process as remembered on disk. */
interface ProcessRecord extends ProcessIdentity {
  /** Digest of the complete argument list: a process that was started otherwise is not adopted. */
  digest: string;
}

export function argumentsDigest(args: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(args)).digest('hex');
}

/** An event of QEMU's monitor, with its data. */
export type EmulatorEvent = (event: string, data: unknown) => void;

/** A running QEMU of ours. It survives the lab process, which finds it again by its process file. */
export class Emulator {
  /** Settles when the process is gone. */
  readonly ended: Promise<void>;

  private constructor(
    private readonly record: ProcessRecord,
    private readonly paths: MachinePaths,
    readonly adopted: boolean,
    private readonly monitor: QmpConnection,
  ) {
    this.ended = monitor.closed.then(() => this.gone());
  }

  get pid(): number {
    return this.record.pid;
  }

  private async gone(): Promise<void> {
    while (isAlive(this.record)) await delay(POLL_MS);
  }

  /** Starts QEMU detached from us, its words going to the machine's log. */
  static async start(args: readonly string[], paths: MachinePaths, onEvent: EmulatorEvent): Promise<Emulator> {
    for (const socket of [paths.powerSocket, paths.labSocket, paths.consoleSocket]) await rm(socket, { force: true });
    const log = openSync(paths.emulatorLog, 'a');
    const child = spawn('nice', ['-n', NICENESS, QEMU, ...args], { detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    child.unref();
    const record = { pid, startTime: startTimeOf(pid) ?? '', digest: argumentsDigest(args) };
    const deadline = Date.now() + MONITOR_MS;
    while (isAlive(record) && Date.now() < deadline) {
      const monitor = await openMonitor(paths.labSocket, onEvent);
      if (monitor !== null) {
        await writeFile(paths.processFile, JSON.stringify(record));
        return new Emulator(record, paths, false, monitor);
      }
      await delay(POLL_MS);
    }
    await endProcess(record);
    const words = (await logTail(paths.emulatorLog, LAST_WORDS_BYTES)).trim().split('\n');
    const last = words.filter((line) => !line.includes('warning:')).at(-1) ?? 'it printed nothing';
    throw new LabError(`QEMU does not start: ${last}`, `see ${paths.emulatorLog}`);
  }

  /**
   * The machine's QEMU from an earlier lab process, when it still runs and was started with the same
   * arguments. One that was started otherwise is ended.
   */
  static async adopt(
    args: readonly string[] | null,
    paths: MachinePaths,
    onEvent: EmulatorEvent,
  ): Promise<Emulator | null> {
    const record = await readRecord(paths.processFile);
    if (record === null || !isAlive(record)) return null;
    const monitor = await openMonitor(paths.labSocket, onEvent);
    if (monitor === null || args === null || argumentsDigest(args) !== record.digest) {
      monitor?.close();
      await endProcess(record);
      return null;
    }
    return new Emulator(record, paths, true, monitor);
  }

  /** One command of QEMU's monitor. @throws QmpError */
  async command(name: 'system_reset' | 'system_powerdown'): Promise<void> {
    await this.monitor.command(name);
  }

  /** Ends QEMU: by its monitor, then by signals. The guest is not shut down. */
  async stop(): Promise<void> {
    await this.monitor.command('quit').catch(() => undefined);
    await endProcess(this.record);
    await rm(this.paths.processFile, { force: true });
  }

  /** Lets go of QEMU, which runs on. */
  release(): void {
    this.monitor.close();
  }
}

async function openMonitor(path: string, onEvent: EmulatorEvent): Promise<QmpConnection | null> {
  return QmpConnection.open(path, onEvent).catch(() => null);
}

async function readRecord(file: string): Promise<ProcessRecord | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessRecord;
  } catch {
    return null;
  }
}
