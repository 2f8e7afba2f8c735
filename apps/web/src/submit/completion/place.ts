import type { FieldPath } from '../form-model.js';
import { closeBrackets, scanFlow } from './flow.js';
import { childPath, MARK, Scan, type Frame, type Place } from './scan.js';

const KEY = /("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^\s,[\]{}#&*!|>'"%@`-]|-(?=\S))(?:(?! #).)*?)[ \t]*:(?=\s|$)/y;
/** A word to complete, and the quote that begins it. */
const WORD_BEFORE = /(["']?)([A-Za-z0-9_][\w.-]*)?$/;
const WORD_AFTER = /^[\w.-]*/;

/** Longer lines are no run's structure, and are passed over. */
const LINE_MAX = 1000;
/** Longest word to complete, in characters. */
const WORD_MAX = 200;

export interface Cursor {
  /** Null where nothing can be said: comments, block texts, the middle of a sentence. */
  place: Place | null;
  /** The word at the cursor without a quote before it, as offsets in the text. */
  from: number;
  to: number;
  /** What stands of the word before the cursor. */
  typed: string;
  /** The quote directly before the word, or nothing. */
  quote: string;
  /** The texts in the list at a path, such as the suites of the run; empty when there is none. */
  listAt: (path: FieldPath) => readonly string[];
}

/**
 * Says where a cursor (offset in characters) stands in YAML, which may be unfinished and need not parse.
 * It reads lines, indentation and brackets as people write runs; it never throws.
 */
export function placeOf(text: string, cursor: number): Cursor {
  const lineStart = text.lastIndexOf('\n', cursor - 1) + 1;
  const [, quote = '', typed = ''] = WORD_BEFORE.exec(text.slice(Math.max(lineStart, cursor - WORD_MAX), cursor)) ?? [];
  const from = cursor - typed.length;
  const to = cursor + (WORD_AFTER.exec(text.slice(cursor, cursor + WORD_MAX))?.[0].length ?? 0);
  const end = quote !== '' && text[to] === quote ? to + 1 : to;
  const scan = new Scan();
  /** Lines indented deeper than this belong to a block text; null outside of one. */
  let textBelow: number | null = null;
  for (const line of `${text.slice(0, from - quote.length)}${MARK}${text.slice(end)}`.split('\n')) {
    const column = line.length - line.trimStart().length;
    const isBlank = line.length === column;
    if (textBelow !== null) {
      if (isBlank || column > textBelow) continue;
      textBelow = null;
    }
    if (isBlank || line.length > LINE_MAX) continue;
    if (scan.top.isFlow && !closeBrackets(scan, line, column)) scanFlow(scan, line, column);
    else textBelow = scanBlockLine(scan, line, column);
  }
  return { place: scan.place, from, to, typed, quote, listAt: (path) => scan.listAt(path) };
}

/** Returns the indentation that a block text begun on this line is deeper than, or null. */
function scanBlockLine(scan: Scan, line: string, start: number): number | null {
  let column = start;
  if (line[column] === '#' || /^(?:---|\.\.\.)(?:\s|$)/.test(line)) return null;
  const startsItem = dashWidth(line, column) > 0;
  const isLeft = ({ indent, kind }: Frame): boolean =>
    indent > column || (indent === column && kind === 'list' && !startsItem);
  while (isLeft(scan.top)) scan.pop();
  for (let dash = dashWidth(line, column); dash > 0; dash = dashWidth(line, column)) {
    const { top } = scan;
    if (top.kind === 'list' && top.indent === column) {
      top.index += 1;
      top.isFilled = false;
    } else if (mayHold(top)) {
      scan.push('list', column, false);
    } else {
      return null;
    }
    column += dash;
    if (column >= line.length || line[column] === '#') return null;
  }
  KEY.lastIndex = column;
  const found = KEY.exec(line);
  if (found === null) return scanNode(scan, line.slice(column), column);
  if (scan.top.kind !== 'map' || scan.top.indent !== column) {
    if (scan.top.isFilled) return null;
    scan.push('map', column, false);
  }
  scan.nameKey(found[1] ?? '', true);
  return scanValue(scan, line.slice(KEY.lastIndex).trimStart());
}

/** Width of a dash with the spaces after it, 0 where none stands. */
function dashWidth(line: string, column: number): number {
  if (line[column] !== '-') return 0;
  const rest = line.slice(column + 1);
  if (rest !== '' && !/^\s/.test(rest)) return 0;
  return 1 + rest.length - rest.trimStart().length;
}

/** What stands alone on its line or after a dash. */
function scanNode(scan: Scan, text: string, column: number): number | null {
  if (!isMark(text)) return scanValue(scan, text);
  const { top } = scan;
  if (top.kind === 'map' && top.indent === column) scan.note('key', top.path, top, column, false);
  else if (mayHold(top)) scan.note('node', childPath(top), top, column, false);
  return null;
}

/** What follows a key or a dash on its line. */
function scanValue(scan: Scan, given: string): number | null {
  const properties = /^(?:[&!]\S*\s+)*/.exec(given)?.[0].length ?? 0;
  const text = given.slice(properties);
  const { top } = scan;
  if (text === '' || text.startsWith('#') || !mayHold(top)) return null;
  if (isMark(text)) {
    scan.note('value', childPath(top), top, top.indent, false);
  } else if (text.startsWith('|') || text.startsWith('>')) {
    top.isFilled = true;
    return top.indent;
  } else if (text.startsWith('{') || text.startsWith('[')) {
    scanFlow(scan, text, 0);
  } else {
    scan.fill(text.replace(/\s#.*$/, ''));
  }
  return null;
}

const mayHold = (frame: Frame): boolean => !frame.isFilled && (frame.kind !== 'map' || frame.key !== null);

const isMark = (text: string): boolean => text.startsWith(MARK) && /^\s*(?:$|\s#)/.test(text.slice(1));
