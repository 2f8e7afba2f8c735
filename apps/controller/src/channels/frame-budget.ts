/**
 * Frames that a browser may send at once, and for each second that passes. A page sends a few when it opens and
 * when its reader moves on; each may cost a reading of the database.
 */
export const FRAMES_BURST = 500;
export const FRAMES_PER_SECOND = 50;

/** Counts the frames of one connection. */
export class FrameBudget {
  #left = FRAMES_BURST;
  #atMs: number;
  readonly #nowMs: () => number;

  /** `nowMs` = milliseconds that never go back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  /** Takes one frame out of the budget; false when none is left. */
  take(): boolean {
    const nowMs = this.#nowMs();
    this.#left = Math.min(FRAMES_BURST, this.#left + ((nowMs - this.#atMs) / 1000) * FRAMES_PER_SECOND);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
