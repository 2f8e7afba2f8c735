/** Wrong tokens that an address may send at once, and how long each further one takes. */
const BURST = 30;
const REFILL_MS = 2_000;
/** Addresses kept in mind; the one that was not heard of for the longest time is forgotten first. */
const ADDRESSES_MAX = 10_000;

interface Bucket {
  left: number;
  atMs: number;
}

/**
 * Slows down whoever tries tokens: after BURST wrong ones an address is refused, and gets another try
 * every REFILL_MS. Nobody can guess a token anyhow; what this protects is the database behind the look-up.
 */
export class GuessLimit {
  readonly #buckets = new Map<string, Bucket>();
  readonly #nowMs: () => number;

  /** `nowMs` = milliseconds that never go back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Whether a token of this address is looked up at all. */
  allows(address: string): boolean {
    return this.#bucketOf(address).left >= 1;
  }

  /** The address sent a wrong one. */
  noteWrong(address: string): void {
    const bucket = this.#bucketOf(address);
    bucket.left = Math.max(0, bucket.left - 1);
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size <= ADDRESSES_MAX) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  #bucketOf(address: string): Bucket {
    const nowMs = this.#nowMs();
    const bucket = this.#buckets.get(address);
    if (bucket === undefined) return { left: BURST, atMs: nowMs };
    bucket.left = Math.min(BURST, bucket.left + (nowMs - bucket.atMs) / REFILL_MS);
    bucket.atMs = nowMs;
    return bucket;
  }
}
