import { childPath, MARK, type Scan } from './scan.js';

/** A quoted text, also one that is not closed; or a plain one up to what ends it in brackets. */
const TOKEN = /"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|(?:(?!:(?:[\s,\]}]|$)| #)[^,[\]{}])+/y;

/**
 * Whether the brackets that are open end before this line, unclosed: it stands no deeper than the map
 * around them, as the next line does while a list is being typed. They are closed then.
 */
export function closeBrackets(scan: Scan, line: string, column: number): boolean {
  if (column > scan.block.indent || /[\]},]/.test(line[column] ?? '')) return false;
  while (scan.top.isFlow) scan.pop();
  return true;
}

/** Reads a line from a column on, within brackets or where they open; what follows their end is left out. */
export function scanFlow(scan: Scan, line: string, start: number): void {
  let at = start;
  while (at < line.length) {
    const character = line[at] ?? '';
    const { top } = scan;
    if (character === '{' || character === '[') {
      scan.push(character === '{' ? 'map' : 'list', scan.block.indent, true);
    } else if (character === '}' || character === ']') {
      scan.pop();
      if (!scan.top.isFlow) return;
    } else if (character === ',') {
      top.index += 1;
      top.key = null;
      top.isFilled = false;
    } else if (character === '#' && /\s/.test(line[at - 1] ?? ' ')) {
      return;
    } else if (character !== ':' && !/\s/.test(character)) {
      TOKEN.lastIndex = at;
      const token = TOKEN.exec(line)?.[0] ?? character;
      at += token.length;
      readToken(scan, token.trim(), /^\s*:/.test(line.slice(at)));
      continue;
    }
    at += 1;
  }
}

function readToken(scan: Scan, token: string, hasColon: boolean): void {
  const { top } = scan;
  if (top.kind === 'map' && top.key === null) scan.nameKey(token, hasColon);
  else if (top.isFilled) return;
  else if (token === MARK && !hasColon) scan.note('value', childPath(top), top, top.indent, false);
  else scan.fill(token);
}
