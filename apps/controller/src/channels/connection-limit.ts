import { ProblemError } from '../platform/http/problem.js';

/**
 * Limits open connections by caller and in total. Each costs a descriptor and some ten kilobytes; one caller could
 * exhaust them for all others.
 */
export class ConnectionLimit {
  readonly #byCaller = new Map<string, number>();
  readonly #perCaller: number;
  readonly #total: number;
  #all = 0;

  constructor(perCaller: number, total: number) {
    this.#perCaller = perCaller;
    this.#total = total;
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#all;
  }

  /** Counts a connection; the returned function ends the count, once. Throws ProblemError 429 when there are too many. */
  begin(caller: string): () => void {
    const open = this.#byCaller.get(caller) ?? 0;
    if (open >= this.#perCaller || this.#all >= this.#total) {
      const limit = open >= this.#perCaller ? `${this.#perCaller} of this caller` : `${this.#total} in total`;
      throw new ProblemError(429, 'too-many-connections', `too many connections are open: ${limit}`, {
        detail: 'close some and try again',
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    this.#byCaller.set(caller, open + 1);
    this.#all += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#all -= 1;
      const left = (this.#byCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.#byCaller.delete(caller);
      else this.#byCaller.set(caller, left);
    };
  }
}

/** After this time dead connections have been detected and closed, in seconds. */
const RETRY_SECONDS = 30;
