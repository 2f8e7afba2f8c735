import { distance } from 'fastest-levenshtein';

/** Longest name that is compared, in characters: no known one is longer. */
const COMPARED_MAX = 64;
/** Names below this length, in characters, may differ in one letter; longer ones in two, or in a third of them. */
const SHORT = 4;

/** The known name closest to a mistyped one, or null when none is close or it is longer than any name. */
export function nearestName(typed: string, known: readonly string[]): string | null {
  if (typed.length > COMPARED_MAX) return null;
  // Two neighbours that were swapped count as two differences.
  const limit = typed.length < SHORT ? 1 : Math.max(2, Math.floor(typed.length / 3));
  const lower = typed.toLowerCase();
  let best: { name: string; differences: number } | null = null;
  for (const name of known) {
    if (Math.abs(name.length - typed.length) > limit) continue;
    const differences = distance(lower, name.toLowerCase());
    if (differences <= limit && (best === null || differences < best.differences)) best = { name, differences };
  }
  return best?.name ?? null;
}
