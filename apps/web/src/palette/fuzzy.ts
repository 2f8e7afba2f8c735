export interface Match {
  score: number;
  /** Indices of the letters that matched, ascending. */
  at: number[];
}

/** Consecutive letters and starts of words add most; a late start and gaps subtract. */
const RUN = 8;
const WORD_START = 10;
const GAP = 1;

/**
 * How well a typed text matches a name: every letter has to occur in order, in upper or lower case. Words of the text,
 * separated by blanks, may match in any order. Null when one does not match. An empty text matches everything equally.
 */
export function fuzzyMatch(typed: string, name: string): Match | null {
  const at = new Set<number>();
  let score = 0;
  for (const word of typed.toLowerCase().split(/\s+/).filter(Boolean)) {
    const match = matchWord(word, name.toLowerCase(), name);
    if (match === null) return null;
    score += match.score;
    for (const index of match.at) at.add(index);
  }
  return { score: score - name.length / 100, at: [...at].toSorted((a, b) => a - b) };
}

function matchWord(word: string, lower: string, name: string): Match | null {
  // A whole occurrence is the best match; letters spread over the name come second.
  let best: Match | null = null;
  for (let start = lower.indexOf(word); start !== -1; start = lower.indexOf(word, start + 1)) {
    const at = Array.from({ length: word.length }, (_, index) => start + index);
    const score = word.length * RUN + (startsWord(name, start) ? WORD_START : 0) - start / 10;
    if (best === null || score > best.score) best = { score, at };
  }
  return best ?? matchSpread(word, lower, name);
}

function matchSpread(word: string, lower: string, name: string): Match | null {
  const at: number[] = [];
  let score = 0;
  let from = 0;
  for (const letter of word) {
    const found = nextPlace(lower, letter, from, name);
    if (found === -1) return null;
    score += startsWord(name, found) ? WORD_START / 2 : 1;
    score -= Math.min(5, found - from) * GAP;
    at.push(found);
    from = found + 1;
  }
  return { score, at };
}

/** The next word that starts with the letter if it is near, else the next occurrence. */
function nextPlace(lower: string, letter: string, from: number, name: string): number {
  const first = lower.indexOf(letter, from);
  if (first === -1 || startsWord(name, first) || first === from) return first;
  for (let place = first; place !== -1 && place < from + 24; place = lower.indexOf(letter, place + 1)) {
    if (startsWord(name, place)) return place;
  }
  return first;
}

function startsWord(name: string, index: number): boolean {
  if (index === 0) return true;
  return (
    /[^a-z0-9]/i.test(name[index - 1] ?? '') || (/[a-z]/.test(name[index - 1] ?? '') && /[A-Z]/.test(name[index] ?? ''))
  );
}
