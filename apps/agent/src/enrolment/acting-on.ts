import type { MachineConnection } from '../job/machine-connection.js';
import type { Pace } from '../job/pace.js';
import type { Machine } from '../machine/protocols.js';

/** A machine that a person lets the farm act on. */
export interface ActingOn {
  machine: Machine;
  connection: MachineConnection;
  pace: Pace;
  signal: AbortSignal;
  /** Told what happens meanwhile, in words. */
  note: (text: string) => void;
  /** Told how long a boot took from the order to the answer, in milliseconds. */
  onBoot: (tookMs: number) => void;
}
