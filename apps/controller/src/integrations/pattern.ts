/**
 * Whether a name fits a pattern, as in .gitignore but for the whole name: `*` stands for any characters but a slash, `**`
 * for any characters, `?` for one character but a slash; every other character stands for itself. Takes time in
 * proportion to the product of both lengths at most: names come from strangers.
 */
export function fitsPattern(pattern: string, name: string): boolean {
  if (!name.startsWith(literalStart(pattern))) return false;
  const tokens = tokensOf(pattern);
  // Places in the pattern that the name's beginning can have come to.
  let places = reach(tokens, new Set([0]));
  for (const character of name) {
    const next = new Set<number>();
    for (const place of places) {
      const token = tokens[place];
      if (token === undefined || !stands(token, character)) continue;
      next.add(token === '*' || token === '**' ? place : place + 1);
    }
    if (next.size === 0) return false;
    places = reach(tokens, next);
  }
  return places.has(tokens.length);
}

/** Whether any of the patterns fits. */
export const fitsAny = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => fitsPattern(pattern, name));

/** What stands before the first wildcard. */
function literalStart(pattern: string): string {
  const wildcard = pattern.search(/[*?]/);
  return wildcard === -1 ? pattern : pattern.slice(0, wildcard);
}

function tokensOf(pattern: string): string[] {
  const tokens: string[] = [];
  for (const character of pattern) {
    if (character === '*' && tokens.at(-1) === '*') tokens[tokens.length - 1] = '**';
    else if (character !== '*' || tokens.at(-1) !== '**') tokens.push(character);
  }
  return tokens;
}

/** The places with those behind stars, which may stand for nothing. */
function reach(tokens: readonly string[], places: Set<number>): Set<number> {
  for (const place of places) {
    const token = tokens[place];
    // A set is walked in the order of insertion, also over what is added meanwhile.
    if (token === '*' || token === '**') places.add(place + 1);
  }
  return places;
}

function stands(token: string, character: string): boolean {
  if (token === '**') return true;
  if (token === '*' || token === '?') return character !== '/';
  return token === character;
}
