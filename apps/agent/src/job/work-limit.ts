/** A limit on the time of an attempt's work, in which the time that its machine needs to be brought back is not counted. */
export class WorkLimit {
  readonly #onPassed: () => void;
  #leftMs: number;
  #timer: NodeJS.Timeout | null = null;
  #startedAt = 0;
  #apart = 0;

  /** Begins at once. @param onPassed called once, when `limitMs` of counted time are over */
  constructor(limitMs: number, onPassed: () => void) {
    this.#leftMs = limitMs;
    this.#onPassed = onPassed;
    this.#go();
  }

  /** Does work whose time is not counted. */
  async apart<T>(work: () => Promise<T>): Promise<T> {
    if (this.#apart === 0) this.#halt();
    this.#apart += 1;
    try {
      return await work();
    } finally {
      this.#apart -= 1;
      if (this.#apart === 0) this.#go();
    }
  }

  /** Nothing is called from here on. */
  end(): void {
    this.#halt();
    this.#leftMs = Number.POSITIVE_INFINITY;
  }

  #go(): void {
    if (this.#leftMs === Number.POSITIVE_INFINITY) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(this.#onPassed, Math.max(0, this.#leftMs));
  }

  #halt(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#leftMs -= performance.now() - this.#startedAt;
  }
}
