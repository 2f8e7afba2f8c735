/** Signed deliveries that a hook may send at once: a push of many branches, or a list of redeliveries. */
const BURST = 60;
/** Milliseconds until a further one is taken: a run holds machines for minutes, so 360 an hour is plenty. */
const REFILL_MS = 10_000;

/** Limits how many signed deliveries of each hook are acted upon; its keys are the names in the hooks file. */
export class HookLimit {
  readonly #buckets = new Map<string, { left: number; atMs: number }>();
  readonly #nowMs: () => number;

  /** @param nowMs milliseconds that never go back */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Takes one delivery of a hook; false when there were too many lately. */
  take(hook: string): boolean {
    const nowMs = this.#nowMs();
    const bucket = this.#buckets.get(hook) ?? { left: BURST, atMs: nowMs };
    const left = Math.min(BURST, bucket.left + (nowMs - bucket.atMs) / REFILL_MS);
    this.#buckets.set(hook, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
    return left >= 1;
  }
}
