import { messageOf } from '../error-message.js';
import type { MachineRecords } from './machine-record.js';

/**
 * Times that are remembered of a machine, and how many of them are needed to tell its limit. No more are kept, so that
 * a few slow boots, as on a busy host of virtual machines, lengthen the limit for some attempts only.
 */
const KEPT = 8;
const NEEDED = 5;
/** The slowest time seen, times this, is the limit. */
const FACTOR = 1.5;
/** A limit below it would be about noise. */
const LEAST_MS = 30_000;

const limitOf = (slowestMs: number): number => Math.max(LEAST_MS, FACTOR * slowestMs);

/**
 * How long a machine takes from the reboot command to the boot loader: its way down and the firmware's self-test,
 * which takes seconds on a virtual machine and up to fifteen minutes on a server. Learnt per machine.
 */
export class FirmwareTime {
  readonly #machine: string;
  /** Used until enough is known, in milliseconds. */
  readonly #configuredMs: number;
  readonly #records: MachineRecords | null;
  readonly #note: (text: string) => void;

  constructor(machine: string, configuredMs: number, records: MachineRecords | null, note: (text: string) => void) {
    this.#machine = machine;
    this.#configuredMs = configuredMs;
    this.#records = records;
    this.#note = note;
  }

  /** How long to wait for the boot loader, in milliseconds from the reboot command. */
  get allowanceMs(): number {
    if (this.#records === null) return this.#configuredMs;
    const { firmwareMs, enrolledBootMs } = this.#records.read(this.#machine);
    if (firmwareMs.length >= NEEDED) return limitOf(Math.max(...firmwareMs.slice(-KEPT)));
    // A whole boot was longer than the firmware's part of it, and a cold one was among them.
    return enrolledBootMs === null ? this.#configuredMs : Math.min(this.#configuredMs, limitOf(enrolledBootMs));
  }

  /** Remembers one time, in milliseconds. */
  learn(tookMs: number): void {
    if (this.#records === null) return;
    try {
      const known = this.#records.read(this.#machine).firmwareMs;
      this.#records.update(this.#machine, { firmwareMs: [...known, Math.round(tookMs)].slice(-KEPT) });
    } catch (error) {
      this.#note(`the firmware's time of ${this.#machine} could not be stored: ${messageOf(error)}`);
    }
  }
}
