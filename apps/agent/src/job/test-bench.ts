import { randomBytes } from 'node:crypto';
import type { AttemptEvent, Assignment, TestResult, Work } from '@peerlab/contracts';
import { FARM_SUITE } from '@peerlab/contracts';
import { guardMachine, type Lease, MachineGuard } from '../machine/guarded-machine.js';
import type { Machine } from '../machine/protocols.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { BundleCache } from './bundle-cache.js';
import { Host } from './host.js';
import { KernelLog } from './kernel-log.js';
import type { KernelIdentity } from './kernel-identity.js';
import type { MachineRecords } from './machine-record.js';
import type { Pace } from './pace.js';
import { SerialRecorder } from './serial-recorder.js';

export type TestWork = Extract<Work, { kind: 'test' }>;

/** Where things of a bundle lie on the machine. All names are ours alone, so that we may remove them. */
export interface InstalledPaths {
  kernel: string;
  folder: string;
  modules: string;
}

export function installedPaths(work: TestWork): InstalledPaths {
  const key = work.manifest.key.slice(0, 8);
  return {
    kernel: `/boot/peerlab-${key}-vmlinuz`,
    folder: `/var/lib/peerlab/${key}`,
    modules: `/lib/modules/${work.manifest.release}`,
  };
}

/** All that the stages of one test attempt share. */
export class TestBench {
  /** The machine behind the attempt's lease and fence. */
  readonly machine: Machine;
  readonly guard: MachineGuard;
  readonly host: Host;
  readonly kernelLog: KernelLog;
  readonly paths: InstalledPaths;
  serial!: SerialRecorder;
  /** The kernel that was found, and that has to run again in the end. */
  defaultKernel: KernelIdentity | null = null;
  /** The kernel under test, once proven. */
  candidate: KernelIdentity | null = null;
  /** Why the machine itself is not to be trusted any more; it goes into quarantine. */
  distrust: string | null = null;
  /** Tests by suite, as its manifest or `--list` on the candidate names them. */
  readonly plans = new Map<string, string[]>();

  constructor(
    readonly assignment: Assignment,
    readonly work: TestWork,
    machine: Machine,
    readonly bundles: BundleCache,
    readonly spool: AttemptSpool,
    readonly pace: Pace,
    /** Aborted by cancel, drop and the attempt's deadline; its reason is the failure. */
    readonly signal: AbortSignal,
    lease: Lease,
    /** What is known of the machines from earlier attempts; null = nothing is compared. */
    readonly records: MachineRecords | null = null,
  ) {
    const { fence: number, forgedFence: forged } = assignment;
    const token = randomBytes(16).toString('hex');
    const fence = forged === undefined ? { fence: number, token } : { fence: number, token, forged };
    this.guard = new MachineGuard(machine.name, lease, fence);
    this.machine = guardMachine(machine, this.guard);
    this.host = new Host(this.machine, pace);
    this.kernelLog = new KernelLog(spool, (text) => this.note(text));
    this.paths = installedPaths(work);
  }

  async openSerial(): Promise<void> {
    this.serial = await SerialRecorder.start(this.machine.console, this.spool);
  }

  /** A line in the agent stream. */
  note(text: string): void {
    for (const line of text.split('\n')) this.spool.appendLine('agent', line);
  }

  emit(event: AttemptEvent): void {
    this.spool.appendEvent(event);
  }

  /** A result of the farm itself: `boot` or `restore`. */
  emitFarmResult(
    test: 'boot' | 'restore',
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
