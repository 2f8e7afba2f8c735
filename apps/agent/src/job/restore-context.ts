import type { KernelSighting } from '@peerlab/contracts';
import type { MachineGuard } from '../machine/guarded-machine.js';
import type { Machine, Session } from '../machine/protocols.js';
import type { FirmwareTime } from './firmware-time.js';
import type { MachineConnection } from './machine-connection.js';
import type { MachineRecords } from './machine-record.js';
import type { Pace } from './pace.js';

/** What puts a machine back: after an attempt, and after a person had it. */
export interface RestoreContext {
  /** Names the attempt or the reservation in the record of the machine. */
  readonly workId: string;
  /** The machine behind the fence. */
  readonly machine: Machine;
  readonly guard: MachineGuard;
  readonly connection: MachineConnection;
  readonly pace: Pace;
  readonly firmware: FirmwareTime;
  /** Null = nothing is compared with earlier work. */
  readonly records: MachineRecords | null;
  /** For the default kernel to come back, with its firmware, in milliseconds. */
  readonly recoverMs: number;
  /** How the machine was found; null where that was not seen. */
  readonly found: { defaultKernel: { buildId: string } | null; hardware: readonly string[] | null };
  /** What is being done, for notes: `prepare`, `restore`. */
  readonly doing: string;
  /** Saves what a crash left on the machine, once its default kernel runs again; null = nothing is saved. */
  readonly harvest: ((session: Session, signal: AbortSignal) => Promise<void>) | null;
  note(text: string): void;
  noteKernel(sighting: KernelSighting): void;
}
