/** Longest source that is looked at, in characters; p2pdma.c of Linux 7.3 has 33 000, pci_ids.h 130 000. */
export const SOURCE_MAX = 512 * 1024;

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122);
const isBlank = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

/**
 * Takes C apart: words and numbers, strings, single characters of punctuation, and each preprocessor line as one token that
 * begins with `#`. Comments and blanks are left out, so that two texts with the same tokens mean the same. One pass; what
 * does not end (a comment, a string) ends with the text. The text is cut at SOURCE_MAX.
 */
export function tokensOf(source: string): string[] {
  const text = source.slice(0, SOURCE_MAX).replaceAll('\\\r\n', ' ').replaceAll('\\\n', ' ');
  const tokens: string[] = [];
  /** Words of the preprocessor line that is being read; null outside of one. */
  let directive: string[] | null = null;
  const put = (token: string): void => void (directive ?? tokens).push(token);
  let isLineStart = true;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === 10) {
      if (directive !== null) tokens.push(`#${directive.join(' ')}`);
      directive = null;
      isLineStart = true;
      at += 1;
    } else if (isBlank(code)) {
      at += 1;
    } else if (text.startsWith('/*', at)) {
      at = after(text, '*/', at + 2);
    } else if (text.startsWith('//', at)) {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end;
    } else {
      const from = at;
      if (code === 34 || code === 39) at = endOfString(text, at, code);
      else if (isWord(code)) while (at < text.length && isWord(text.charCodeAt(at))) at += 1;
      else at += 1;
      if (code === 35 && isLineStart && directive === null) directive = [];
      else put(text.slice(from, at));
      isLineStart = false;
    }
  }
  if (directive !== null) tokens.push(`#${directive.join(' ')}`);
  return tokens;
}

function after(text: string, what: string, from: number): number {
  const found = text.indexOf(what, from);
  return found === -1 ? text.length : found + what.length;
}

function endOfString(text: string, from: number, quote: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 92) at += 1;
    else if (code === quote) return at + 1;
    // A string does not go over the end of a line; an apostrophe in what is not compiled may.
    else if (code === 10) return at;
  }
  return text.length;
}

const OPENING: Readonly<Record<string, string>> = { ')': '(', '}': '{', ']': '[' };

/** For each opening bracket that is closed, the index behind its closing one; of each kind by itself. One pass. */
export function bracketsOf(tokens: readonly string[]): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  const open: Record<string, number[]> = { '(': [], '{': [], '[': [] };
  for (const [at, token] of tokens.entries()) {
    const from = open[OPENING[token] ?? '']?.pop();
    if (from !== undefined) ends.set(from, at + 1);
    else open[token]?.push(at);
  }
  return ends;
}

/**
 * The tokens of every definition of a function, from its name to the end of its body; calls and declarations are none.
 * A function that stands there twice, under two conditions, is found twice.
 * @param ends of `bracketsOf`
 */
export function definitionsOf(tokens: readonly string[], ends: ReadonlyMap<number, number>, name: string): string[][] {
  const found: string[][] = [];
  let depth = 0;
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (token === '{') depth += 1;
    else if (token === '}') depth = Math.max(0, depth - 1);
    if (depth > 0 || token !== name || tokens[at + 1] !== '(') continue;
    const body = ends.get(at + 1);
    const end = body === undefined || tokens[body] !== '{' ? undefined : ends.get(body);
    if (end === undefined) continue;
    found.push(tokens.slice(at, end));
    at = end - 1;
  }
  return found;
}
