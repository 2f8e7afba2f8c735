import { randomBytes } from 'node:crypto';
import { plainText, RESTORE_DETAIL_MAX, type KernelSighting, type WantedReservation } from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import { adviceOf } from '../machine/errors.js';
import { guardMachine, MachineGuard, type Lease } from '../machine/guarded-machine.js';
import type { ConsoleFollower, Machine } from '../machine/protocols.js';
import { FirmwareTime } from './firmware-time.js';
import { readHardware } from './hardware.js';
import type { KernelIdentity } from './kernel-identity.js';
import { MachineConnection } from './machine-connection.js';
import type { MachineRecords } from './machine-record.js';
import type { Pace } from './pace.js';
import type { RestoreContext } from './restore-context.js';
import { putBack, type Restoration } from './stages/restore.js';

/** How a machine was found when a person got it. */
export interface FoundMachine {
  /** Null where it ran a kernel under test. */
  defaultKernel: { release: string; buildId: string; bootId: string } | null;
  hardware: string[] | null;
}

const NOTHING_FOUND: FoundMachine = { defaultKernel: null, hardware: null };
/** Last lines of the console that stand in the account of a restore that failed, and characters of each. */
const CONSOLE_LINES = 20;
const CONSOLE_LINE_MAX = 200;

/** A machine that a person has: taken under a fence before, put back afterwards by what puts it back after an attempt. */
export class ReservedMachine implements RestoreContext {
  readonly workId: string;
  readonly machine: Machine;
  readonly guard: MachineGuard;
  readonly connection: MachineConnection;
  readonly firmware: FirmwareTime;
  readonly harvest = null;
  found: FoundMachine = NOTHING_FOUND;
  doing: 'take' | 'restore' = 'take';
  readonly #notes: string[] = [];

  constructor(
    { reservationId, fence, forgedFence: forged }: WantedReservation,
    machine: Machine,
    readonly pace: Pace,
    lease: Lease,
    readonly records: MachineRecords,
  ) {
    this.workId = reservationId;
    const token = randomBytes(16).toString('hex');
    this.guard = new MachineGuard(
      machine.name,
      lease,
      forged === undefined ? { fence, token } : { fence, token, forged },
    );
    this.machine = guardMachine(machine, this.guard);
    this.connection = new MachineConnection(this.machine, pace);
    const firmwareMs = machine.firmwareMs ?? pace.firmwareMs;
    this.firmware = new FirmwareTime(machine.name, firmwareMs, records, (text) => this.note(text));
  }

  get recoverMs(): number {
    return this.firmware.allowanceMs + this.pace.recoverMs;
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  noteKernel({ release, buildId }: KernelSighting): void {
    this.note(`restore: ${release} runs, build-id ${buildId.slice(0, 12)}`);
  }

  /**
   * Puts the fence on the machine, so that no older attempt acts on it, and looks how it is. It is not rebooted: its
   * holder gets it as it stands. Rejects when it does not answer, and when a higher fence is there.
   */
  async take(signal: AbortSignal): Promise<FoundMachine> {
    this.doing = 'take';
    try {
      await this.machine.disk?.markUsed();
      const { kernel, session } = await this.connection.reach(this.pace.reachMs, signal);
      await this.guard.claim(session, signal);
      this.found =
        kernel.nonce === null
          ? { defaultKernel: identityOf(kernel), hardware: await readHardware(session, signal) }
          : NOTHING_FOUND;
      return this.found;
    } finally {
      this.connection.leave();
    }
  }

  /** As after an attempt, compared with how it was found. Never rejects. `detail` = what happened, with the console's last lines. */
  async giveBack(found: FoundMachine | null): Promise<Restoration> {
    this.doing = 'restore';
    // Where nothing was written down, its default kernel is that of the last attempt.
    const last = this.records.read(this.machine.name).defaultAfter;
    this.found = found ?? { ...NOTHING_FOUND, defaultKernel: last };
    const tail = new ConsoleTail();
    const follower = await tail.follow(this.machine);
    const { restored, detail } = await putBack(this);
    await follower?.stop();
    const lines = restored === true ? [] : tail.lines;
    const story = [detail, ...this.#notes, ...(lines.length === 0 ? [] : ['the console said last:', ...lines])];
    return { restored, detail: story.join('\n').slice(0, RESTORE_DETAIL_MAX) };
  }
}

const identityOf = ({ release, buildId, bootId }: KernelIdentity) => ({ release, buildId, bootId });

/** The last lines of a console. */
class ConsoleTail {
  readonly lines: string[] = [];

  /** Null without a console, or where it cannot be read: a restore does not depend on it. */
  async follow({ console }: Machine): Promise<ConsoleFollower | null> {
    if (console === null) return null;
    try {
      return await console.follow('end', {
        onLine: (line) => this.#take(line),
        onFault: (fault) => this.#take(messageOf(fault)),
      });
    } catch (error) {
      this.#take(`its console cannot be read: ${adviceOf(error)}`);
      return null;
    }
  }

  #take(line: string): void {
    this.lines.push(plainText(line.slice(0, CONSOLE_LINE_MAX)));
    if (this.lines.length > CONSOLE_LINES) this.lines.shift();
  }
}
