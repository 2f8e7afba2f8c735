/**
 * Token bucket of a browser connection: its size, and the frames that are added per second. A page sends a few frames
 * when it opens and when the user navigates; each may cost a query.
 */
export const FRAMES_BURST = 500;
export const FRAMES_PER_SECOND = 50;

/** Counts the frames of one connection. */
export class FrameBudget {
  #left = FRAMES_BURST;
  #atMs: number;
  readonly #nowMs: () => number;

  /** @param nowMs a monotonic clock in milliseconds */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  /** Takes one frame from the budget; false when the budget is empty. */
  take(): boolean {
    const nowMs = this.#nowMs();
    this.#left = Math.min(FRAMES_BURST, this.#left + ((nowMs - this.#atMs) / 1000) * FRAMES_PER_SECOND);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
