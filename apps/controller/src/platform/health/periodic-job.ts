export interface PeriodicJobOptions {
  /** Between two runs, in milliseconds. */
  everyMs: number;
  /** How long one run may take, in milliseconds. */
  longestMs: number;
}

/** Runs that may be missed before the job counts as stopped. */
const MISSED_MAX = 3;

/** When a job that runs again and again last ran, for the readiness of the controller. */
export class PeriodicJob {
  readonly #options: PeriodicJobOptions;
  readonly #nowMs: () => number;
  #beganAtMs: number | null = null;
  #endedAtMs: number | null = null;
  #failed = false;

  /** `nowMs` = milliseconds that never go back. */
  constructor(options: PeriodicJobOptions, nowMs: () => number = () => performance.now()) {
    this.#options = options;
    this.#nowMs = nowMs;
  }

  /** Runs the work and notes when it began, when it ended and whether it failed. Rejects when it does. */
  async run(work: () => Promise<void>): Promise<void> {
    this.#beganAtMs ??= this.#nowMs();
    try {
      await work();
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#beganAtMs = null;
      this.#endedAtMs = this.#nowMs();
    }
  }

  /** Why the job does not do its work, or null. */
  problem(): string | null {
    const nowMs = this.#nowMs();
    const { everyMs, longestMs } = this.#options;
    if (this.#beganAtMs !== null) {
      const runningMs = nowMs - this.#beganAtMs;
      if (runningMs > longestMs) return `has been running for ${seconds(runningMs)}`;
    }
    if (this.#endedAtMs === null) return this.#beganAtMs === null ? 'has not run yet' : null;
    if (this.#failed) return 'failed when it ran last';
    const idleMs = nowMs - this.#endedAtMs;
    return this.#beganAtMs === null && idleMs > MISSED_MAX * everyMs ? `last ran ${seconds(idleMs)} ago` : null;
  }
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
