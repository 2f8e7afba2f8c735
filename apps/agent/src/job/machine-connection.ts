import { MachineError, adviceOf } from '../machine/errors.js';
import type { Machine, Session } from '../machine/protocols.js';
import { DeadlinePassed, pause } from '../timing.js';
import { JobFailure } from './failure.js';
import { type KernelIdentity, identifyKernel } from './kernel-identity.js';
import type { Pace } from './pace.js';

/** A machine that answered, and what runs on it. */
export interface Booted {
  session: Session;
  kernel: KernelIdentity;
}

/** Errors that do not pass by waiting. */
const LASTING = new Set(['settings', 'fenced']);
/**
 * Nor do these on a machine that runs. While it boots, an sshd of its initramfs may answer with another key, and the
 * right one may refuse everybody (pam_nologin): after a reboot they are obstacles like a refused connection.
 */
const LASTING_UNTIL_REBOOT = new Set(['host-key-changed', 'auth-refused']);

/** Detached, so that the connection of the command does not delay the shutdown. */
const leaveBy = (how: string): string => `nohup sh -c "sync; sleep 0.1; ${how}" >/dev/null 2>&1 &`;
const REBOOT = 'systemctl reboot -f || reboot -f';

/** The connection to a job's machine across reboots: at most one, to the kernel that runs now. */
export class MachineConnection {
  #current: Booted | null = null;
  /** boot_id of the kernel that was told to reboot: its answer does not mean that the machine has rebooted. */
  #leaving: string | null = null;
  #lastBootId: string | null = null;
  /** It was rebooted or reset, by this attempt or the process before: it may be booting. */
  #mayBoot = false;

  readonly #machine: Machine;
  readonly #pace: Pace;

  constructor(machine: Machine, pace: Pace) {
    this.#machine = machine;
    this.#pace = pace;
  }

  /** The current connection; null when there is none or it broke. */
  get session(): Session | null {
    return this.#current === null || this.#current.session.lost.aborted ? null : this.#current.session;
  }

  /** boot_id of the kernel that answered last; null before the first answer. */
  get lastBootId(): string | null {
    return this.#lastBootId;
  }

  /** The current connection; throws when there is none or it broke. */
  require(): Session {
    const session = this.session;
    if (session === null) {
      throw new MachineError('connection-lost', `the connection to ${this.#machine.access.address} was lost`);
    }
    return session;
  }

  /** Connects unless connected, waiting up to `timeoutMs` for a machine that is booting. */
  async reach(timeoutMs: number, signal?: AbortSignal): Promise<Booted> {
    if (this.#current !== null && this.session !== null) return this.#current;
    return this.awaitBoot(this.#leaving, () => timeoutMs, signal);
  }

  /**
   * Waits for a kernel whose boot_id is not `previousBootId` (null: any). `timeoutMs` is asked at
   * every try and counts from the call. Rejects with DeadlinePassed, naming the last obstacle.
   */
  async awaitBoot(previousBootId: string | null, timeoutMs: () => number, signal?: AbortSignal): Promise<Booted> {
    this.leave();
    const start = performance.now();
    let obstacle = 'it was not asked';
    for (;;) {
      signal?.throwIfAborted();
      let session: Session | null = null;
      try {
        session = await this.#machine.access.connect({
          timeoutMs: this.#pace.connectTimeoutMs,
          ...(signal === undefined ? {} : { signal }),
        });
        const kernel = await identifyKernel(session, signal);
        if (kernel.bootId !== previousBootId) {
          this.#current = { session, kernel };
          this.#lastBootId = kernel.bootId;
          this.#leaving = null;
          return this.#current;
        }
        obstacle = 'it still runs the kernel from before the reboot';
        session.close();
      } catch (error) {
        session?.close();
        signal?.throwIfAborted();
        // A job that lost its lease must not wait for its machine.
        if (error instanceof JobFailure || (error instanceof MachineError && this.#lasts(error))) throw error;
        obstacle = adviceOf(error);
      }
      if (performance.now() - start >= timeoutMs()) {
        throw new DeadlinePassed(`an answer of ${this.#machine.name} (${obstacle})`, timeoutMs());
      }
      await pause(this.#pace.pollMs, signal);
    }
  }

  /** Asks the running kernel to reboot and closes the connection. @param how shell text, in place of a plain reboot */
  async reboot(signal?: AbortSignal, how = REBOOT): Promise<void> {
    const session = this.require();
    this.#mayBoot = true;
    this.#leaving = this.#current?.kernel.bootId ?? null;
    await session
      .exec(`# peerlab reboot {}\n${leaveBy(how)}`, { timeoutMs: 20_000, ...(signal === undefined ? {} : { signal }) })
      .catch((error: unknown) => {
        signal?.throwIfAborted();
        // The machine may be gone before it answers; whether it rebooted shows by its boot_id.
        if (!(error instanceof MachineError) || error.kind === 'fenced') throw error;
      });
    this.leave();
  }

  /** The machine was reset: whatever answers now has been booted since. */
  forgetReboot(): void {
    this.#leaving = null;
    this.#mayBoot = true;
  }

  /** An earlier process may have rebooted the machine. */
  expectBoot(): void {
    this.#mayBoot = true;
  }

  #lasts({ kind }: MachineError): boolean {
    return LASTING.has(kind) || (!this.#mayBoot && LASTING_UNTIL_REBOOT.has(kind));
  }

  /** Closes the connection, if any. */
  leave(): void {
    this.#current?.session.close();
    this.#current = null;
  }
}
