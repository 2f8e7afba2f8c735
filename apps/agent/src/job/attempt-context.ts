import { randomBytes } from 'node:crypto';
import type { AttemptEvent, Assignment, KernelSighting, TestResult, Work } from '@peerlab/contracts';
import { cutText, FARM_SUITE } from '@peerlab/contracts';
import { adviceOf } from '../machine/errors.js';
import { guardMachine, type Lease, MachineGuard } from '../machine/guarded-machine.js';
import type { Machine } from '../machine/protocols.js';
import type { KernelSigner } from '../signing/index.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { BundleCache } from './bundle-cache.js';
import { JobFailure } from './failure.js';
import { FirmwareTime } from './firmware-time.js';
import { MachineConnection } from './machine-connection.js';
import { KernelLog } from './kernel-log.js';
import type { DeviceErrors } from './device-errors.js';
import type { KernelIdentity } from './kernel-identity.js';
import type { Meetings } from './meetings.js';
import type { Way } from './way.js';
import type { KernelSymbols } from '../symbols/kernel-symbols.js';
import type { PeerFacts } from './peer-facts.js';
import type { MachineRecords } from './machine-record.js';
import type { BundleModule } from './modules-archive.js';
import type { Pace } from './pace.js';
import type { RestoreContext } from './restore-context.js';
import type { WorkLimit } from './work-limit.js';
import { SerialRecorder } from './serial-recorder.js';

export type TestWork = Extract<Work, { kind: 'test' }>;

/** Where things of a bundle lie on the machine. All names are ours alone, so that we may remove them. */
export interface InstalledPaths {
  kernel: string;
  /** The initramfs that is made for it on the machine. */
  initrd: string;
  folder: string;
  modules: string;
}

function installedPaths(work: TestWork): InstalledPaths {
  const key = work.manifest.key.slice(0, 8);
  return {
    kernel: `/boot/peerlab-${key}-vmlinuz`,
    initrd: `/boot/peerlab-${key}-initrd.img`,
    folder: `/var/lib/peerlab/${key}`,
    modules: `/lib/modules/${work.manifest.release}`,
  };
}

/**
 * Lines and characters of one note: what the agent says of an attempt often quotes what the machine printed, and
 * the agent's own stream is written even when the spool is full.
 */
const NOTE_LINES_MAX = 64;
const NOTE_MAX = 4000;

/** What the stages of one test attempt share. */
export class AttemptContext implements RestoreContext {
  /** The machine behind the attempt's lease and fence. */
  readonly machine: Machine;
  readonly guard: MachineGuard;
  readonly connection: MachineConnection;
  readonly kernelLog: KernelLog;
  readonly firmware: FirmwareTime;
  readonly paths: InstalledPaths;
  serial!: SerialRecorder;
  /** Aborted by cancel, drop, the attempt's deadline, or a fault of a listener; its reason is the failure. */
  readonly signal: AbortSignal;
  readonly #broken = new AbortController();
  /** The kernel that was found, and that has to run again in the end. */
  defaultKernel: KernelIdentity | null = null;
  /** How its devices are connected under that kernel. */
  way: Way | null = null;
  /** The machine is not what its inventory says: that is to be read again. */
  hasOtherHardware = false;
  /** The kernel under test, once proven. */
  candidate: KernelIdentity | null = null;
  /** What its devices had counted when it came up; null = it did not, or that could not be read. */
  deviceErrors: DeviceErrors | null = null;
  /** What the bundle has of the modules that the run, its suites and the machine's drivers load, by the kernel's name for them. */
  bundleModules: ReadonlyMap<string, BundleModule> = new Map();
  /** What was said of modules: they are loaded at each boot of the candidate. */
  readonly toldModules = new Set<string>();
  /** Drivers of the machine that have a result: the candidate may boot several times. */
  readonly toldDrivers = new Set<string>();
  /** It was said how the candidate prints to the console: it may boot several times. */
  toldConsole = false;
  /** Signs the candidate, which this machine would not boot otherwise; null = it boots as it is. */
  signsWith: KernelSigner | null = null;
  /** Why the machine itself is not to be trusted any more; it goes into quarantine. */
  distrust: string | null = null;
  harvest: RestoreContext['harvest'] = null;
  /** Tests by suite, as its manifest or `--list` on the candidate names them. */
  readonly plans = new Map<string, string[]>();
  /** What the participants know of each other's machines, by role, once they have met. */
  facts: ReadonlyMap<string, PeerFacts> = new Map();

  constructor(
    readonly assignment: Assignment,
    readonly work: TestWork,
    machine: Machine,
    readonly bundles: BundleCache,
    readonly spool: AttemptSpool,
    readonly pace: Pace,
    stop: AbortSignal,
    lease: Lease,
    /** What is known of the machines from earlier attempts; null = nothing is compared. */
    readonly records: MachineRecords | null = null,
    /** How it meets the other participants; null = it has none. */
    readonly meetings: Meetings | null = null,
    /** What finds addresses of reports in the source; null = they are not looked up. */
    readonly symbols: Pick<KernelSymbols, 'place'> | null = null,
    /** Of the attempt's work; null = it has none. */
    readonly limit: WorkLimit | null = null,
  ) {
    this.signal = AbortSignal.any([stop, this.#broken.signal]);
    const { fence: number, forgedFence: forged } = assignment;
    const token = randomBytes(16).toString('hex');
    const fence = forged === undefined ? { fence: number, token } : { fence: number, token, forged };
    this.guard = new MachineGuard(machine.name, lease, fence);
    this.machine = guardMachine(machine, this.guard);
    this.connection = new MachineConnection(this.machine, pace);
    this.kernelLog = new KernelLog(spool, {
      note: (text) => this.note(text),
      fail: (fault) => this.fail('kernel log', fault),
    });
    this.paths = installedPaths(work);
    const firmwareMs = machine.firmwareMs ?? pace.firmwareMs;
    this.firmware = new FirmwareTime(machine.name, firmwareMs, records, (text) => this.note(text));
  }

  /** Does what is not counted against the attempt's limit: its machine is brought back, which has limits of its own. */
  uncounted<T>(work: () => Promise<T>): Promise<T> {
    return this.limit === null ? work() : this.limit.apart(work);
  }

  get workId(): string {
    return this.assignment.attemptId;
  }

  /** As `prepare` found it. */
  get found(): RestoreContext['found'] {
    return this.spool.record;
  }

  get doing(): string {
    return this.spool.record.stage ?? 'prepare';
  }

  /** For the default kernel to come back by itself, and again after a reset: firmware and kernel. */
  get recoverMs(): number {
    return this.firmware.allowanceMs + this.pace.recoverMs;
  }

  async openSerial(): Promise<void> {
    this.serial = await SerialRecorder.start(this.machine.console, this.spool, (fault) => this.fail('console', fault));
  }

  /** A listener threw while it took what the machine printed: this attempt ends, and no other. */
  fail(source: string, fault: unknown): void {
    const message = `the ${source} of ${this.machine.name} could not be taken: ${adviceOf(fault)}`;
    this.note(message);
    this.#broken.abort(new JobFailure('infrastructure', message));
  }

  /** Lines in the agent stream, cut where they are far too many or too long. */
  note(text: string): void {
    const lines = text.slice(0, NOTE_LINES_MAX * NOTE_MAX).split('\n', NOTE_LINES_MAX);
    for (const line of lines) this.spool.appendLine('agent', cutText(line, NOTE_MAX));
  }

  noteKernel(sighting: KernelSighting): void {
    this.emit({ type: 'kernel', sighting });
  }

  emit(event: AttemptEvent): void {
    this.spool.appendEvent(event);
  }

  /** A result of the farm itself: `boot` or `restore`. */
  emitFarmResult(
    test: 'boot' | 'restore' | `driver ${string}`,
    result: Pick<TestResult, 'status' | 'reason' | 'durationMs' | 'signature' | 'log'>,
  ): void {
    this.emit({ type: 'result', result: { suite: FARM_SUITE, test, proof: null, warnings: [], ...result } });
  }

  /** Lines of the serial stream from `fromSeq` to now, or null when there are none. */
  serialRange(fromSeq: number): TestResult['log'] {
    const toSeq = this.serial.next - 1;
    return toSeq < fromSeq ? null : { stream: 'serial', fromSeq, toSeq };
  }
}
