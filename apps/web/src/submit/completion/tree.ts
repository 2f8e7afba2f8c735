import { yamlLanguage } from '@codemirror/lang-yaml';
import type { FieldPath } from '../form-model.js';

/** A node of the syntax tree that the editor's YAML language makes. */
export type YamlNode = ReturnType<typeof yamlLanguage.parser.parse>['topNode'];

/** A YAML text with its syntax tree. */
export interface YamlTree {
  text: string;
  root: YamlNode;
}

/** Places with open brackets that are closed to read a text; each costs a parse, so a text with more of them is parsed unclosed. */
const CLOSED_MAX = 5;
const CLOSERS: Readonly<Record<string, string>> = { '[': ']', '{': '}' };

/**
 * Parses YAML that may be unfinished. Where brackets are still open, they end before the next line that is not deeper
 * than the line on which they begin: otherwise they would swallow the rest of a run while a list is typed.
 */
export function parseYaml(given: string): YamlTree {
  let text = given;
  for (let closed = 0; closed < CLOSED_MAX; closed += 1) {
    const root = yamlLanguage.parser.parse(text).topNode;
    const open = outermostOpen(root, text);
    if (open === null) return { text, root };
    const end = endOfBrackets(text, open);
    // The brackets inside are open as well: all of them end here, the last one first.
    text = `${text.slice(0, end)}${closersOf(text.slice(open, end))}${text.slice(end)}`;
  }
  return { text, root: yamlLanguage.parser.parse(text).topNode };
}

/** Offset of the first bracket that has no end; null when there is none. */
function outermostOpen(root: YamlNode, text: string): number | null {
  let found: number | null = null;
  root.cursor().iterate((node) => {
    if (found !== null) return false;
    const closer = CLOSERS[text[node.from] ?? ''];
    const isFlow = node.name === 'FlowSequence' || node.name === 'FlowMapping';
    if (isFlow && closer !== undefined && node.node.lastChild?.name !== closer) found = node.from;
    return undefined;
  });
  return found;
}

/** Where brackets that begin at an offset end at the latest: at the end of the last line that belongs to them. */
function endOfBrackets(text: string, open: number): number {
  const lineStart = text.lastIndexOf('\n', open) + 1;
  const indent = contentColumn(text.slice(lineStart, open));
  let end = lineEnd(text, open);
  while (end < text.length) {
    const line = text.slice(end + 1, lineEnd(text, end + 1));
    const column = line.length - line.trimStart().length;
    if (line.trim() !== '' && column <= indent && !/^[\]},]/.test(line.trimStart())) break;
    end = lineEnd(text, end + 1);
  }
  return text.slice(0, end).trimEnd().length;
}

/** Column at which the keys of a line stand, after its indentation and its dashes. */
function contentColumn(line: string): number {
  return /^ *(?:- +)*/.exec(line)?.[0].length ?? 0;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** What closes the brackets that are open at the end of a text. */
function closersOf(text: string): string {
  const open: string[] = [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"?|'[^']*'?|[[\]{}]/g)) {
    if (CLOSERS[token] !== undefined) open.push(CLOSERS[token]);
    else if (token === open.at(-1)) open.pop();
  }
  return open.reverse().join('');
}

/** Names of the keys of a map, without quotes. */
export function keysOfMap({ text }: YamlTree, map: YamlNode): string[] {
  return map.getChildren('Pair').map((pair) => keyOfPair(text, pair));
}

function keyOfPair(text: string, pair: YamlNode): string {
  const key = pair.getChild('Key');
  return key === null ? '' : unquoted(text.slice(key.from, key.to));
}

/** The texts of a list; what is no text is left out. */
export function textsOfList({ text }: YamlTree, list: YamlNode): string[] {
  return list.getChildren('Item').flatMap((item) => {
    const value = item.firstChild;
    return value?.name === 'Literal' || value?.name === 'QuotedLiteral'
      ? [unquoted(text.slice(value.from, value.to))]
      : [];
  });
}

/** What the maps of a list have under the key `name`; what has none is left out. */
export function namesOfList({ text }: YamlTree, list: YamlNode): string[] {
  return list.getChildren('Item').flatMap((item) => {
    const pair = item.firstChild?.getChildren('Pair').find((each) => keyOfPair(text, each) === 'name');
    const value = pair?.lastChild;
    return value?.name === 'Literal' || value?.name === 'QuotedLiteral'
      ? [unquoted(text.slice(value.from, value.to))]
      : [];
  });
}

/** Path of a node: the keys and places from the top of the run down to it. */
export function pathOf(text: string, node: YamlNode): FieldPath {
  const path: (string | number)[] = [];
  for (let at: YamlNode | null = node; at !== null; at = at.parent) {
    if (at.name === 'Pair') path.unshift(keyOfPair(text, at));
    if (at.name === 'Item') path.unshift(placeInList(at));
  }
  return path;
}

/** How many items stand before this one. */
function placeInList(item: YamlNode): number {
  let place = 0;
  for (let at = item.prevSibling; at !== null; at = at.prevSibling) if (at.name === 'Item') place += 1;
  return place;
}

function unquoted(text: string): string {
  return /^(["']).*\1$/s.test(text) ? text.slice(1, -1) : text;
}
