import { toneOf } from './alarm.js';
import { SCAN_LINES, type LogStore } from './log-store.js';

/** Lines that are looked at when a log is opened; the keys n and p look at all of them. */
const LOOKED_AT = 50_000;

/**
 * The first error among the first lines of a log, or else its first warning; null when there is neither, or `signal`
 * fired.
 */
export async function firstProblem(store: LogStore, signal: AbortSignal): Promise<number | null> {
  let warning: number | null = null;
  for (let from = 0; from < Math.min(LOOKED_AT, store.total()); from += SCAN_LINES) {
    const lines = await store.read(from, SCAN_LINES);
    if (signal.aborted) return null;
    for (const [index, { text }] of lines) {
      const tone = toneOf(store.origin(index).stream, text);
      if (tone === 'error') return index;
      if (tone === 'warning') warning ??= index;
    }
  }
  return warning;
}
