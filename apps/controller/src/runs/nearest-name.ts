/** Longest name that is compared, in characters: no known one is longer. */
const COMPARED_MAX = 64;

/** The known name closest to a mistyped one, or null when none is close or it is longer than any name. */
export function nearestName(typed: string, known: readonly string[]): string | null {
  if (typed.length > COMPARED_MAX) return null;
  const limit = Math.max(1, Math.floor(typed.length / 3));
  const lower = typed.toLowerCase();
  let best: { name: string; distance: number } | null = null;
  for (const name of known) {
    if (Math.abs(name.length - typed.length) > limit) continue;
    const distance = editDistance(lower, name.toLowerCase());
    if (distance <= limit && (best === null || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? null;
}

/** Insertions, deletions, substitutions and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let [twoAbove, above, row] = [new Uint16Array(width), new Uint16Array(width), new Uint16Array(width)];
  for (let j = 0; j < width; j += 1) above[j] = j;
  for (let i = 1; i <= a.length; i += 1) {
    row[0] = i;
    for (let j = 1; j < width; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = isSwap ? Math.min(least, (twoAbove[j - 2] ?? 0) + 1) : least;
    }
    [twoAbove, above, row] = [above, row, twoAbove];
  }
  return above[b.length] ?? 0;
}
