import { ProblemError } from './problem.js';

/**
 * Heavy requests of one caller at a time. A browser has six connections; scripts and benches ask one after the
 * other; people behind one address share it.
 */
export const IN_FLIGHT_MAX = 24;
/**
 * Time that heavy requests of one caller may take together: at once, and for each second that passes. A caller that asks
 * one after the other never gets there, however fast it is; a caller that keeps more than four busy for long does.
 */
const BURST_MS = 60_000;
const REFILL = 4;
/** Callers remembered, some hundred bytes each; the one that was quiet for the longest time is forgotten first. */
export const CALLERS_MAX = 10_000;

interface Share {
  inFlight: number;
  leftMs: number;
  atMs: number;
}

/**
 * Gives each caller a share of the controller's and the database's time, so that one who asks for much at once
 * does not slow down the others. What counts is how long requests take, not how many there are: cheap ones are
 * not held up.
 *
 * Not rate-limiter-flexible, which limits wrong tokens (guess-limit.ts): it counts points that are known when a
 * request begins, and here the cost is known when it ends and requests in flight count as well.
 */
export class CallerLimit {
  readonly #shares = new Map<string, Share>();
  readonly #nowMs: () => number;

  /** `nowMs` = milliseconds that never go back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Callers that are remembered. */
  get size(): number {
    return this.#shares.size;
  }

  /**
   * Counts a request in; the function returned counts it out, once. Throws ProblemError 429 with the time to
   * wait when the caller's share is used up.
   */
  begin(caller: string): () => void {
    const share = this.#shareOf(caller);
    if (share.inFlight >= IN_FLIGHT_MAX) throw tooBusy(1, `${IN_FLIGHT_MAX} such requests are being answered already`);
    if (share.leftMs <= 0) {
      const seconds = Math.max(1, Math.ceil(-share.leftMs / REFILL / 1000));
      throw tooBusy(seconds, 'its requests took more than their share of the time');
    }
    share.inFlight += 1;
    const beganMs = this.#nowMs();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      share.inFlight -= 1;
      // Together, or one long request would count for more than the time it had.
      this.#refill(share, this.#nowMs() - beganMs);
    };
  }

  #shareOf(caller: string): Share {
    const share = this.#shares.get(caller) ?? { inFlight: 0, leftMs: BURST_MS, atMs: this.#nowMs() };
    this.#refill(share);
    this.#shares.delete(caller);
    this.#shares.set(caller, share);
    if (this.#shares.size > CALLERS_MAX) this.#forgetOne();
    return share;
  }

  #refill(share: Share, usedMs = 0): void {
    const nowMs = this.#nowMs();
    share.leftMs = Math.min(BURST_MS, share.leftMs + (nowMs - share.atMs) * REFILL - usedMs);
    share.atMs = nowMs;
  }

  /** A caller with requests in flight would lose their count, so it is forgotten last. */
  #forgetOne(): void {
    for (const [caller, { inFlight }] of this.#shares) {
      if (inFlight > 0) continue;
      this.#shares.delete(caller);
      return;
    }
    const [oldest] = this.#shares.keys();
    if (oldest !== undefined) this.#shares.delete(oldest);
  }
}

const tooBusy = (seconds: number, why: string): ProblemError =>
  new ProblemError(429, 'too-many-requests', 'this caller asks for too much at once', {
    detail: `${why}; try again in ${seconds} s`,
    retryAfterSeconds: seconds,
  });
