/** A gap as it stands in a stored log: how many lines are missing, and why. Null for an ordinary line. */
export function gapOf(text: string): { lines: number; reason: string } | null {
  const match = /^\[gap: (\d+) lines? (?:is|are) missing here(?: \([^)]*\))?: (.+)\]$/.exec(text);
  return match === null ? null : { lines: Number(match[1]), reason: match[2] ?? '' };
}

/**
 * Where `stored` is no piece of `written`; null when it is one. Between its ends nothing may be
 * missing, doubled or swapped, except what a recorded gap counts. It may stop at any line.
 * @param anchor whether a line occurs only once in `written`, so that the piece can be found by it;
 *   'start' = the piece begins where `written` begins
 */
export function differenceFrom(
  written: readonly string[],
  stored: readonly string[],
  anchor: 'start' | ((line: string) => boolean),
): string | null {
  const found = anchor === 'start' ? 0 : stored.findIndex(anchor);
  if (found === -1) return null;
  const place = anchor === 'start' ? 0 : written.indexOf(stored[found] ?? '');
  if (place === -1) return `line ${found} was never written: ${JSON.stringify(stored[found])}`;
  return (
    compare(written, stored, { index: found - 1, place: place - 1, step: -1 }) ??
    compare(written, stored, { index: found, place, step: 1 })
  );
}

/** Compares line by line from a pair of lines on, in one direction. */
function compare(
  written: readonly string[],
  stored: readonly string[],
  { index: from, place, step }: { index: number; place: number; step: 1 | -1 },
): string | null {
  for (let index = from, at = place; index >= 0 && index < stored.length; index += step) {
    const gap = gapOf(stored[index] ?? '');
    if (gap !== null) at += step * gap.lines;
    else if (written[at] === stored[index]) at += step;
    else return `line ${index} is ${JSON.stringify(stored[index])}, written was ${JSON.stringify(written[at])}`;
  }
  return null;
}
