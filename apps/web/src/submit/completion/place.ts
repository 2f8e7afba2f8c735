import type { FieldPath } from '../form-model.js';
import { keysOfMap, parseYaml, pathOf, namesOfList, textsOfList, type YamlNode, type YamlTree } from './tree.js';

/** Position of the cursor in the structure of a run. */
export interface Place {
  /**
   * `key`: a key of the map at `path` · `value`: what is at `path`, on the line of its key or in brackets ·
   * `node`: what is at `path`, with its lines to itself, so that it may begin a map or a list.
   */
  role: 'key' | 'value' | 'node';
  path: FieldPath;
  /** Keys that the map, or texts that the list already has. */
  given: ReadonlySet<string>;
  /** Within `{}` or `[]`. */
  isFlow: boolean;
  /** Column of the keys of the map here, from 0; lines below them are deeper. */
  indent: number;
  /** The key has its colon. */
  hasColon: boolean;
}

export interface Cursor {
  /** Null where nothing can be completed: comments, block texts, the middle of a sentence. */
  place: Place | null;
  /** The word at the cursor without a quote before it, as offsets in the text. */
  from: number;
  to: number;
  /** The part of the word before the cursor. */
  typed: string;
  /** The quote directly before the word, or nothing. */
  quote: string;
  /** The texts in the list at a path, such as the suites of the run; empty when there is none. */
  listAt: (path: FieldPath) => readonly string[];
  /** The names of the maps in such a list, such as the builds of the run. */
  namesAt: (path: FieldPath) => readonly string[];
}

/** Replaces the word at the cursor while the text is parsed; a private character that no run contains. */
const MARK = '\uE000';
/** A word to complete, and the quote that begins it. */
const WORD_BEFORE = /(["']?)([A-Za-z0-9_][\w.-]*)?$/;
const WORD_AFTER = /^[\w.-]*/;
/** Longest word to complete, in characters. */
const WORD_MAX = 200;

/**
 * Finds the place of a cursor in YAML, which may be unfinished. Never throws.
 * @param cursor offset in characters
 */
export function placeOf(text: string, cursor: number): Cursor {
  const lineStart = text.lastIndexOf('\n', cursor - 1) + 1;
  const [, quote = '', typed = ''] = WORD_BEFORE.exec(text.slice(Math.max(lineStart, cursor - WORD_MAX), cursor)) ?? [];
  const from = cursor - typed.length;
  const to = cursor + (WORD_AFTER.exec(text.slice(cursor, cursor + WORD_MAX))?.[0].length ?? 0);
  const end = quote !== '' && text[to] === quote ? to + 1 : to;
  const before = text.slice(0, from - quote.length);
  const after = text.slice(end);
  // Alone on its line the word may become a key: with a colon, the lines around it are parsed as its siblings.
  const isAlone = /^[ ]*(?:- +)*$/.test(before.slice(lineStart)) && /^[ \t]*(?:#.*)?(?:\r?\n|$)/.test(after);
  const tree = parseYaml(`${before}${MARK}${isAlone ? ':' : ''}${after}`);
  const column = before.length - lineStart;
  const textsAt =
    (read: typeof textsOfList) =>
    (path: FieldPath): string[] => {
      const node = nodeAt(tree, path);
      return node === null ? [] : read(tree, node).filter((text) => text !== MARK);
    };
  const place = placeOfMark(tree, isAlone, column);
  return { place, from, to, typed, quote, listAt: textsAt(textsOfList), namesAt: textsAt(namesOfList) };
}

/** @param column at which the mark stands in its line */
function placeOfMark(tree: YamlTree, isAlone: boolean, column: number): Place | null {
  const at = tree.text.indexOf(MARK);
  const mark = tree.root.resolve(at, 1);
  // Within a comment, a block text or a sentence the mark is only a part of a node.
  if (mark.name !== 'Literal' || tree.text.slice(mark.from, mark.to) !== MARK) return null;
  const isFlow = hasAncestor(mark, ['FlowMapping', 'FlowSequence']);
  const holder = mark.parent;
  if (holder?.name === 'Key') {
    const pair = holder.parent;
    const map = pair?.parent;
    if (pair == null || map == null) return null;
    // A wrong indentation results in a map within a key, or in an item without a dash.
    const isStray =
      map.parent?.name === 'Item' &&
      map.parent.parent?.name === 'BlockSequence' &&
      map.parent.prevSibling?.name !== '-';
    if (isStray || hasAncestor(map, ['Key'])) return null;
    const given = new Set(keysOfMap(tree, map).filter((key) => key !== MARK));
    if (map.name === 'FlowMapping' && map.getChild('{') === null) {
      // An item of a list; the colon of the mark made a pair of it.
      return isAlone ? itemPlace(tree, map) : null;
    }
    const path = pathOf(tree.text, map);
    const hasColon = !isAlone && pair.getChild(':') !== null;
    if (isFlow) return { role: 'key', path, given, isFlow, indent: blockIndent(tree, map), hasColon };
    if (!isAlone || given.size > 0) return { role: 'key', path, given, isFlow, indent: column, hasColon };
    return { role: 'node', path, given: siblingsOf(tree, map), isFlow, indent: column, hasColon: false };
  }
  return isFlow || holder?.name === 'Pair' || holder?.name === 'Item' ? itemPlace(tree, mark) : null;
}

/** A value on the line of its key or dash, or in brackets. */
function itemPlace(tree: YamlTree, node: YamlNode): Place {
  const isFlow = hasAncestor(node, ['FlowMapping', 'FlowSequence']);
  return {
    role: 'value',
    path: pathOf(tree.text, node),
    given: siblingsOf(tree, node),
    isFlow,
    indent: blockIndent(tree, node),
    hasColon: false,
  };
}

/** The other texts of the list that contains a node; none when the node is the value of a key. */
function siblingsOf(tree: YamlTree, node: YamlNode): Set<string> {
  const list = node.parent?.name === 'Item' ? node.parent.parent : null;
  return new Set(list === null ? [] : textsOfList(tree, list).filter((text) => text !== MARK));
}

/** Column of the keys of the block map, or of the dashes of the block list, around a node. */
function blockIndent({ text }: YamlTree, node: YamlNode): number {
  for (let at: YamlNode | null = node; at !== null; at = at.parent) {
    if (at.name !== 'BlockMapping' && at.name !== 'BlockSequence') continue;
    // The node itself may begin in the indentation.
    const first = at.firstChild?.from ?? at.from;
    return first - (text.lastIndexOf('\n', first - 1) + 1);
  }
  return 0;
}

function hasAncestor(node: YamlNode, names: readonly string[]): boolean {
  for (let at = node.parent; at !== null; at = at.parent) if (names.includes(at.name)) return true;
  return false;
}

/** The node at a path of keys. */
function nodeAt(tree: YamlTree, path: FieldPath): YamlNode | null {
  let node: YamlNode | null = tree.root.getChild('Document')?.firstChild ?? null;
  for (const step of path) {
    const pair: YamlNode | undefined = node
      ?.getChildren('Pair')
      .find((each) => pathOf(tree.text, each).at(-1) === step);
    node = pair?.lastChild ?? null;
  }
  return node;
}
