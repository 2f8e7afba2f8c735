import { RateLimiterMemory } from 'rate-limiter-flexible';

/** Wrong tokens that an address may send within WINDOW_SECONDS. */
const GUESSES_MAX = 30;
const WINDOW_SECONDS = 60;
/** Addresses that are remembered; the one that was added first is forgotten first. */
const ADDRESSES_MAX = 10_000;

/**
 * Slows down guessing of tokens: after GUESSES_MAX wrong ones an address is refused for the rest of the window. A
 * token cannot be guessed anyhow; what this protects is the database behind the look-up.
 */
export class GuessLimit {
  readonly #limiter = new RateLimiterMemory({ points: GUESSES_MAX, duration: WINDOW_SECONDS });
  /** The limiter itself remembers any number of addresses. */
  readonly #addresses = new Set<string>();

  /** How long tokens of this address are refused, in whole seconds; 0 = they are looked up. */
  async refusedForSeconds(address: string): Promise<number> {
    const state = await this.#limiter.get(address);
    if (state === null || state.remainingPoints > 0) return 0;
    return Math.max(1, Math.ceil(state.msBeforeNext / 1000));
  }

  /** The address sent a wrong one. */
  async noteWrong(address: string): Promise<void> {
    await this.#limiter.penalty(address);
    this.#addresses.add(address);
    if (this.#addresses.size <= ADDRESSES_MAX) return;
    const [oldest] = this.#addresses;
    if (oldest === undefined) return;
    this.#addresses.delete(oldest);
    await this.#limiter.delete(oldest);
  }
}
