import type { LiveCursor } from '@peerlab/contracts';

/**
 * How far back a topic that is added asks for changes, in milliseconds. It is longer than an answer takes to arrive
 * plus the time for which a page takes it as fresh.
 */
export const LOOK_BACK_MS = 10_000;

/** The cursors of the last seconds, and one older than that. */
export class CursorHistory {
  /** Oldest first; of those older than LOOK_BACK_MS one is kept. */
  #entries: { cursor: LiveCursor | null; at: number }[];

  /** @param since where the client begins; null = it knows of no moment */
  constructor(since: LiveCursor | null) {
    this.#entries = [{ cursor: since, at: Date.now() }];
  }

  add(cursor: LiveCursor): void {
    const at = Date.now();
    const recent = this.#entries.findIndex((each) => each.at > at - LOOK_BACK_MS);
    this.#entries = [...this.#entries.slice(recent === -1 ? -1 : Math.max(0, recent - 1)), { cursor, at }];
  }

  newest(): LiveCursor | null {
    return this.#entries.at(-1)?.cursor ?? null;
  }

  /** The newest that is at least LOOK_BACK_MS old, else the oldest. */
  lookBack(): LiveCursor | null {
    const limit = Date.now() - LOOK_BACK_MS;
    return (this.#entries.findLast(({ at }) => at <= limit) ?? this.#entries[0])?.cursor ?? null;
  }
}
