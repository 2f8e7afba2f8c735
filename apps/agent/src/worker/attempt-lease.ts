import { uptime } from 'node:os';
import { JobFailure } from '../job/failure.js';
import type { Lease } from '../machine/guarded-machine.js';
import { formatSeconds } from '../timing.js';

/** Milliseconds since this computer was booted. Never set back, and it goes on while the computer is suspended. */
export const bootClockMs = (): number => uptime() * 1000;

/** The agent's share of a lease: it stops a little before the controller may give the machine away. */
const SHARE = 0.9;

/**
 * What the agent knows of its lease on a machine or a build slot, by its own clock. It begins with the
 * first renewal and counts from the moment at which the report that was answered was sent, so that it
 * ends here before it ends at the controller, however long an answer travelled. Once run out, it never
 * comes back.
 */
export class AttemptLease implements Lease {
  #untilMs: number | null = null;
  #problem: JobFailure | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  readonly #begun = new AbortController();

  readonly #onLost: (problem: JobFailure) => void;
  readonly #clock: () => number;

  constructor(onLost: (problem: JobFailure) => void, clock: () => number = bootClockMs) {
    this.#onLost = onLost;
    this.#clock = clock;
  }

  /** The controller renewed it: `sentAtMs` = by the same clock, when the report was sent that it answered. */
  renew(sentAtMs: number, leaseMs: number): void {
    this.#look();
    if (this.#problem !== null || this.#closed) return;
    const untilMs = sentAtMs + leaseMs * SHARE;
    // An answer that took too long begins nothing; the next one may.
    if (untilMs <= (this.#untilMs ?? this.#clock())) return;
    this.#untilMs = untilMs;
    this.#look();
    if (this.#problem === null) this.#begun.abort();
  }

  check(): void {
    this.#look();
    if (this.#problem !== null) throw this.#problem;
    if (this.#untilMs === null) throw new JobFailure('infrastructure', 'the controller has not confirmed the lease');
  }

  /** Resolves when the lease has begun, or when `signal` is aborted. Never rejects. */
  async whenBegun(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([this.#begun.signal, signal]);
    if (either.aborted) return;
    await new Promise<void>((resolve) => either.addEventListener('abort', () => resolve(), { once: true }));
  }

  /** The job has ended: the lease is not needed any more. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #look(): void {
    if (this.#untilMs === null || this.#problem !== null || this.#closed) return;
    const leftMs = this.#untilMs - this.#clock();
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (leftMs > 0) {
      // Timers pause while the computer is suspended: read the clock again when they fire.
      this.#timer = setTimeout(() => this.#look(), leftMs);
      return;
    }
    const since = leftMs < -1000 ? `, ${formatSeconds(-leftMs)} ago` : '';
    this.#problem = new JobFailure(
      'infrastructure',
      `the lease ran out${since}: the controller did not renew it in time`,
    );
    this.#onLost(this.#problem);
  }
}

/** How many heartbeats are remembered; the answer to an older one is of no use. */
const KEPT = 100;

/** Numbers the agent's heartbeats and remembers when each was sent, by the boot clock. */
export class HeartbeatLog {
  #last = 0;
  readonly #sentAtMs = new Map<number, number>();

  readonly #clock: () => number;

  constructor(clock: () => number = bootClockMs) {
    this.#clock = clock;
  }

  /** The number of a heartbeat that is about to be sent. */
  next(): number {
    this.#last += 1;
    this.#sentAtMs.set(this.#last, this.#clock());
    this.#sentAtMs.delete(this.#last - KEPT);
    return this.#last;
  }

  /** When that heartbeat was sent, in milliseconds; undefined when it is no longer remembered. */
  sentAt(beat: number): number | undefined {
    return this.#sentAtMs.get(beat);
  }
}
