import type { FieldPath } from '../form-model.js';

/** Where in the structure of a run the cursor stands. */
export interface Place {
  /**
   * `key`: a key of the map at `path` · `value`: what is at `path`, on the line of its key or in brackets ·
   * `node`: what is at `path`, with its lines to itself, so that it may begin a map or a list.
   */
  role: 'key' | 'value' | 'node';
  path: FieldPath;
  /** Keys of the map, or texts of the list, that are there already. */
  given: ReadonlySet<string>;
  /** Within `{}` or `[]`. */
  isFlow: boolean;
  /** Column of the keys of the map here, from 0; lines below them are deeper. */
  indent: number;
  /** The key has its colon. */
  hasColon: boolean;
}

/** A map or a list that is open where the scan stands. */
export interface Frame {
  kind: 'root' | 'map' | 'list';
  isFlow: boolean;
  indent: number;
  path: FieldPath;
  /** Keys of a map, texts of a list. */
  given: Set<string>;
  /** The key whose value is being read. */
  key: string | null;
  index: number;
  /** The root, the key or the item that is being read has its value. */
  isFilled: boolean;
}

/** Path of what a map's key, a list's item or the root holds now. */
export function childPath(frame: Frame): FieldPath {
  if (frame.kind === 'root') return [];
  return [...frame.path, frame.kind === 'map' ? (frame.key ?? '') : frame.index];
}

const nameOf = (path: FieldPath): string => JSON.stringify(path);

/** What a scan has seen: the maps and lists that are open, and the place of the cursor once it was met. */
export class Scan {
  place: Place | null = null;
  private readonly stack: Frame[] = [];
  private readonly root: Frame = newFrame('root', -1, [], false);
  private readonly lists = new Map<string, Set<string>>();

  get top(): Frame {
    return this.stack.at(-1) ?? this.root;
  }

  /** Texts of the list at a path; empty when there is none. */
  listAt(path: FieldPath): readonly string[] {
    return [...(this.lists.get(nameOf(path)) ?? [])];
  }

  /** The frame around the outermost open bracket. */
  get block(): Frame {
    return this.stack.findLast(({ isFlow }) => !isFlow) ?? this.root;
  }

  pop(): void {
    this.stack.pop();
  }

  /** Opens a map or list as the value of what is on top. */
  push(kind: 'map' | 'list', indent: number, isFlow: boolean): void {
    const path = childPath(this.top);
    this.top.isFilled = true;
    const frame = newFrame(kind, indent, path, isFlow);
    if (kind === 'list') this.lists.set(nameOf(path), frame.given);
    // The cursor stood before the first key or item: its map or list is this one.
    if (this.place?.role === 'node' && nameOf(this.place.path) === nameOf(path)) this.place.given = frame.given;
    this.stack.push(frame);
  }

  /** A key of the map on top; the mark of the cursor is one too. */
  nameKey(written: string, hasColon: boolean): void {
    const { top } = this;
    const key = unquoted(written);
    if (isCursor(key)) this.note('key', top.path, top, top.indent, hasColon);
    else top.given.add(key);
    top.key = key;
    top.isFilled = false;
  }

  /** A text as the value of what is on top. */
  fill(written: string): void {
    const { top } = this;
    top.isFilled = true;
    if (top.kind === 'list') top.given.add(unquoted(written.trim()));
  }

  note(role: Place['role'], path: FieldPath, { given, isFlow }: Frame, indent: number, hasColon: boolean): void {
    this.place = { role, path, given, isFlow, indent, hasColon };
  }
}

function newFrame(kind: Frame['kind'], indent: number, path: FieldPath, isFlow: boolean): Frame {
  return { kind, isFlow, indent, path, given: new Set(), key: null, index: 0, isFilled: false };
}

/** Stands for the word at the cursor while the text is read; a private character that no run holds. */
export const MARK = '\uE000';

const isCursor = (text: string): boolean => text === MARK;

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}
