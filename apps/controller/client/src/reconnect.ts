/** First pause before a lost connection is opened again, in milliseconds. */
const FIRST_PAUSE_MS = 250;
/** Longest pause: a controller that was restarted is found again within this time. */
const LONGEST_PAUSE_MS = 15_000;

/**
 * Milliseconds to wait before attempt `attempt` (0 is the first one) at a lost connection: doubles up to 15 s,
 * with half of it random, so that the clients of a restarted controller do not all come back at once.
 */
export function reconnectPauseMs(attempt: number, random: () => number = Math.random): number {
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16));
  return pause / 2 + (pause / 2) * random();
}
