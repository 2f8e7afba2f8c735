/**
 * Reads what perftest writes with `--out_json`. Version 6.06 quotes neither keys nor most values and leaves commas before
 * closing brackets; later ones quote the keys, except `sl`. So this reads a superset of both and of JSON: words that are
 * not quoted, with blanks inside, and commas anywhere. A text is pushed line by line.
 */

/** Longest key or value that is kept, in characters. */
const WORD_MAX = 200;
/** Keys of one object. */
const KEYS_MAX = 64;
/** Brackets that are open at once; perftest opens two or three. */
const DEPTH_MAX = 8;

/** An object that has ended: its values that are no objects, by their keys. */
export type LooseObject = ReadonlyMap<string, string>;

export class LooseJson {
  readonly #ended: (object: LooseObject) => void;
  readonly #open: Map<string, string>[] = [];
  #depth = 0;
  #key: string | null = null;

  /** @param ended called with every object when its closing bracket is read, inner ones first */
  constructor(ended: (object: LooseObject) => void) {
    this.#ended = ended;
  }

  /** Whether the outermost bracket has been closed. */
  get isOver(): boolean {
    return this.#depth === 0;
  }

  /** Reads a line. Each character is looked at once. */
  push(line: string): void {
    let word = '';
    let isQuoted = false;
    const endWord = (): void => {
      const text = isQuoted ? word : word.trim();
      if (text !== '' || isQuoted) this.#take(text);
      word = '';
      isQuoted = false;
    };
    for (let at = 0; at < line.length; at += 1) {
      const char = line.charAt(at);
      if (char === '"' && word.trim() === '') {
        const end = line.indexOf('"', at + 1);
        word = line.slice(at + 1, Math.min(end === -1 ? line.length : end, at + 1 + WORD_MAX));
        isQuoted = true;
        at = end === -1 ? line.length : end;
      } else if (char === ':') {
        const key = word.trim();
        word = '';
        isQuoted = false;
        // A second colon belongs to the value, as in an address.
        if (this.#key === null) this.#key = key;
        else word = `${key.slice(0, WORD_MAX)}:`;
      } else if (char === ',') {
        endWord();
      } else if (char === '{' || char === '[') {
        word = '';
        isQuoted = false;
        this.#begin();
      } else if (char === '}' || char === ']') {
        endWord();
        this.#end();
      } else if (!isQuoted && word.length < WORD_MAX) {
        word += char;
      }
    }
    // No value of perftest goes on in the next line.
    endWord();
  }

  #take(value: string): void {
    const object = this.#open.at(-1);
    if (this.#key !== null && object !== undefined && object.size < KEYS_MAX) object.set(this.#key, value);
    this.#key = null;
  }

  #begin(): void {
    this.#depth += 1;
    this.#key = null;
    if (this.#depth <= DEPTH_MAX) this.#open.push(new Map());
  }

  #end(): void {
    if (this.#depth === 0) return;
    this.#key = null;
    if (this.#depth <= DEPTH_MAX) {
      const object = this.#open.pop();
      if (object !== undefined && object.size > 0) this.#ended(object);
    }
    this.#depth -= 1;
  }
}
