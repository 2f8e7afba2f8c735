import { output } from './command.js';
import { MachineError } from './errors.js';
import {
  CLAIM_TIMEOUT_MS,
  claimCommand,
  FENCE_FILE,
  fencedCommand,
  isRefusal,
  type MachineFence,
  refusedBy,
} from './fence.js';
import type {
  ExecOptions,
  ExecResult,
  LineHandlers,
  Machine,
  Power,
  RunningCommand,
  Session,
  UploadOptions,
} from './protocols.js';

/** The right to act on a machine, as the agent knows it by its own clock. */
export interface Lease {
  /** Throws when the right has ended, or was never given. */
  check(): void;
}

/**
 * Stands between an attempt and its machine. Every action asks the lease first, so that an agent that
 * was held up does nothing late; and every command compares the machine's own fence, so that one that
 * cannot know better does no harm either.
 */
export class MachineGuard {
  /** `looking` = nothing may be changed, the fence is not on the machine (yet, or not any more). */
  #phase: 'looking' | 'working' | 'restoring' = 'looking';
  /** The machine says that it belongs to another attempt, and is left alone from then on. */
  #taken: MachineError | null = null;
  #seen: number | null = null;

  readonly #name: string;
  readonly #lease: Lease;
  readonly #fence: MachineFence;

  constructor(name: string, lease: Lease, fence: MachineFence) {
    this.#name = name;
    this.#lease = lease;
    this.#fence = fence;
  }

  /**
   * The fence that the machine showed when it refused this attempt; null when it refused nothing. The machine
   * may have made it up: the controller knows whether any attempt was given it.
   */
  get fenceSeen(): number | null {
    return this.#seen;
  }

  /**
   * Throws unless the attempt may act now. Restoring is the agent's duty, lease or not; but a machine that
   * refused one command of the attempt is not touched by it any more, not even its power.
   */
  check(): void {
    if (this.#taken !== null) throw this.#taken;
    if (this.#phase !== 'restoring') this.#lease.check();
  }

  /** Takes the machine: from now on commands of attempts with a lower fence refuse themselves. */
  async claim(session: Session, signal: AbortSignal): Promise<void> {
    this.check();
    const result = await session.exec(claimCommand(this.#fence), { timeoutMs: CLAIM_TIMEOUT_MS, signal });
    this.throwIfRefused(result);
    if (result.code !== 0) {
      const why = result.stderr.trim() || `exit ${result.code ?? 'by a signal'}`;
      throw new MachineError('command-failed', `${FENCE_FILE} on ${this.#name} cannot be written: ${why}`);
    }
    // In a restore the fence only goes back onto a disk that lost it.
    if (this.#phase === 'looking') this.#phase = 'working';
  }

  /** Whether the lease alone says that the machine is still this attempt's, also in a restore. */
  holdsLease(): boolean {
    try {
      this.#lease.check();
      return true;
    } catch {
      return false;
    }
  }

  /** The machine's fence goes with its disk: until it is claimed again nothing may be changed. */
  loseFence(): void {
    if (this.#phase === 'working') this.#phase = 'looking';
  }

  /** From now on only a newer attempt on the machine keeps this one from acting. */
  beginRestore(): void {
    this.#phase = 'restoring';
  }

  /** The command with its comparison; `holding` as in `fencedCommand`. */
  fenced(command: string, holding: boolean): string {
    if (this.#phase === 'looking') return command;
    return fencedCommand(command, this.#fence, this.#phase === 'working' ? 'own' : 'not-higher', holding);
  }

  /** Looks at how a command ended; throws when the machine refused it. */
  throwIfRefused(result: { code: number | null; stderr: string }): void {
    const found = refusedBy(result);
    if (found === null) return;
    const own = this.#fence.fence;
    if (found < own) {
      // Fences only grow, so this file was changed by something else. The machine is still this attempt's to restore.
      throw new MachineError(
        'command-failed',
        `${FENCE_FILE} on ${this.#name} was changed during the attempt: it has the fence ${found}, not ${own}`,
      );
    }
    this.#seen = found;
    this.#taken = new MachineError(
      'fenced',
      `${this.#name} has the fence ${found}, this attempt has ${own}: the machine belongs to another attempt`,
      `if no other attempt or farm has it, remove ${FENCE_FILE} on it`,
    );
    throw this.#taken;
  }
}

function guardedPower(power: Power, guard: MachineGuard): Power {
  const { name, cycle } = power;
  return {
    name,
    reset: async (signal) => {
      guard.check();
      await power.reset(signal);
    },
    state: (signal) => power.state(signal),
    cycle:
      cycle === null
        ? null
        : async (signal) => {
            guard.check();
            await cycle(signal);
          },
  };
}

/** The machine with every action behind a guard. */
export function guardMachine(machine: Machine, guard: MachineGuard): Machine {
  const { access, power, watchdog, disk } = machine;
  return {
    ...machine,
    access: {
      address: access.address,
      connect: async (options) => {
        guard.check();
        return new GuardedSession(await access.connect(options), guard);
      },
    },
    power: power === null ? null : guardedPower(power, guard),
    otherPower: machine.otherPower.map((other) => guardedPower(other, guard)),
    watchdog:
      watchdog === null
        ? null
        : {
            ...watchdog,
            arm: async (session, timeoutMs, signal) => {
              guard.check();
              await watchdog.arm(session, timeoutMs, signal);
            },
            disarm: async (session, signal) => {
              guard.check();
              await watchdog.disarm(session, signal);
            },
          },
    disk:
      disk === null
        ? null
        : {
            isFresh: () => disk.isFresh(),
            markUsed: async () => {
              guard.check();
              await disk.markUsed();
            },
            reset: async (signal) => {
              guard.check();
              guard.loseFence();
              await disk.reset(signal);
            },
          },
  };
}

class GuardedSession implements Session {
  readonly #inner: Session;
  readonly #guard: MachineGuard;

  constructor(inner: Session, guard: MachineGuard) {
    this.#inner = inner;
    this.#guard = guard;
  }

  get lost(): AbortSignal {
    return this.#inner.lost;
  }

  close(): void {
    this.#inner.close();
  }

  async exec(command: string, options?: ExecOptions): Promise<ExecResult> {
    this.#guard.check();
    const result = await this.#inner.exec(this.#guard.fenced(command, true), options);
    this.#guard.throwIfRefused(result);
    return result;
  }

  async start(command: string, handlers: LineHandlers): Promise<RunningCommand> {
    this.#guard.check();
    let refused = false;
    const running = await this.#inner.start(this.#guard.fenced(command, false), {
      ...handlers,
      onStderrLine: (line, continues) => {
        if (isRefusal(line)) refused = true;
        handlers.onStderrLine(line, continues);
      },
    });
    // To who waits for it, a machine that was given away is as good as gone; the next command says why.
    const ended = running.ended.then((end) => (refused ? { ...end, lost: true } : end));
    return { ended, writeLine: (text) => running.writeLine(text), close: () => running.close() };
  }

  /**
   * The bytes go into a part beside the file; only putting it into its place counts. An agent that was held up in the
   * middle reads answers of the machine before its timers run, so each write asks the lease too.
   */
  async upload(localPath: string, remotePath: string, options: UploadOptions): Promise<{ resumedAtBytes: number }> {
    this.#guard.check();
    try {
      return await this.#inner.upload(localPath, remotePath, {
        ...options,
        check: () => this.#guard.check(),
        placing: (command) => {
          this.#guard.check();
          return this.#guard.fenced(command, true);
        },
      });
    } catch (error) {
      // Whether it was the fence is asked for with a command that does nothing else.
      if (error instanceof MachineError && error.kind === 'command-failed') await output(this, 'true');
      throw error;
    }
  }
}
