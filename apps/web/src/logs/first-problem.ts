import { countText } from '../ui/numbers.js';
import { toneOf } from './alarm.js';
import { SCAN_LINES, type LogStore } from './log-store.js';

/** Lines that are looked at when a log is opened; the keys n and p look at all of them. */
const LOOKED_AT = 50_000;

export interface FirstProblem {
  /** The first error, or else the first warning; null when there is neither. */
  line: number | null;
  /** What is said of it. */
  text: string;
}

/** The first problem among the first lines of a log, and how many of them were looked at; null when `signal` fired. */
export async function firstProblem(store: LogStore, signal: AbortSignal): Promise<FirstProblem | null> {
  let warning: number | null = null;
  for (let from = 0; from < Math.min(LOOKED_AT, store.total()); from += SCAN_LINES) {
    const lines = await store.read(from, SCAN_LINES);
    if (signal.aborted) return null;
    for (const [index, { text }] of lines) {
      const tone = toneOf(store.origin(index).stream, text);
      if (tone === 'error') return { line: index, text: `first error: line ${countText(index + 1)}` };
      if (tone === 'warning') warning ??= index;
    }
  }
  const isWhole = store.total() <= LOOKED_AT;
  const where = isWhole ? 'no error' : `no error in the first ${countText(LOOKED_AT)} lines, n looks at all`;
  if (warning === null) return { line: null, text: isWhole ? '' : where };
  return { line: warning, text: `first warning: line ${countText(warning + 1)}, ${where}` };
}
