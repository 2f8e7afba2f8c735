import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

/** Below the time limit of a test, so that a test says what it waited for. */
const LIMIT_MS = 75_000;
const EVERY_MS = 10;
/** Characters of the last value seen, in a message. */
const SEEN_MAX = 1500;

export interface Patience {
  /** Default 75 000. */
  limitMs?: number;
  /** Between two looks. Default 10. */
  everyMs?: number;
}

/** A condition that did not come true in time. */
export class NeverHappened extends Error {
  constructor(
    readonly what: string,
    limitMs: number,
    seen: unknown,
  ) {
    super(
      `waited ${limitMs / 1000} s for ${what}; last seen: ${inspect(seen, { depth: 6, breakLength: 120 }).slice(0, SEEN_MAX)}`,
    );
    this.name = 'NeverHappened';
  }
}

/**
 * Calls `look` until `accepts` takes what it gives (default: anything truthy), at least once, and resolves to that.
 * Rejects with NeverHappened, which names `what` was awaited and the last value seen, or with what `look` throws.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  accepts: (value: T) => boolean = Boolean,
  { limitMs = LIMIT_MS, everyMs = EVERY_MS }: Patience = {},
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await look();
    if (accepts(value)) return value;
    if (performance.now() >= end) throw new NeverHappened(what, limitMs, value);
    await pause(everyMs);
  }
}
