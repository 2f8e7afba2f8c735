import { ProblemError } from '../platform/http/problem.js';

/**
 * Counts open connections by caller. Each costs a descriptor and some ten kilobytes; a caller who opens them
 * without end would leave none for the others.
 */
export class ConnectionLimit {
  readonly #byCaller = new Map<string, number>();
  readonly #perCaller: number;
  readonly #inAll: number;
  #all = 0;

  constructor(perCaller: number, inAll: number) {
    this.#perCaller = perCaller;
    this.#inAll = inAll;
  }

  /** Connections that are counted now. */
  get size(): number {
    return this.#all;
  }

  /** Counts one in; the function returned counts it out, once. Throws ProblemError 429 when there are too many. */
  begin(caller: string): () => void {
    const open = this.#byCaller.get(caller) ?? 0;
    if (open >= this.#perCaller || this.#all >= this.#inAll) {
      const limit = open >= this.#perCaller ? `${this.#perCaller} of this caller` : `${this.#inAll} in all`;
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

/** When connections that are dead have been noticed. */
const RETRY_SECONDS = 30;
