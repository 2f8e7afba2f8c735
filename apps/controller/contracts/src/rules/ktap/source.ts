import { hasFormOf, prefixLength } from './prefix.js';

const VERSION_LENGTH_MAX = 'KTAP version 1234'.length;
const VERSION_AT_END = /K?TAP version \d{1,4}$/;
const OWN_PREFIX_MAX = 200;

/**
 * What stands before the lines of one document. Its version line says it; lines of another source (the kernel's
 * messages between those of a program, and the other way round) are no part of it.
 */
export class KtapSource {
  #isPrefixed: boolean | null = null;
  /** A prefix that no rule knows, as of some consoles. */
  #own = '';

  /** Forgets the document: the next line may be of any source. */
  reset(): void {
    [this.#isPrefixed, this.#own] = [null, ''];
  }

  /** Takes the form of a version line, the first of its document. */
  begin(line: string): void {
    this.#own = ownPrefixOf(line);
    this.#isPrefixed = prefixLength(line) > 0;
  }

  /** The text behind the prefix; null when the line is from another source. */
  textOf(line: string): string | null {
    if (this.#isPrefixed === null) return line.slice(ownPrefixOf(line).length || prefixLength(line));
    if (this.#own !== '') return hasFormOf(this.#own, line) ? line.slice(this.#own.length) : null;
    const length = prefixLength(line);
    return length > 0 === this.#isPrefixed ? line.slice(length) : null;
  }
}

/**
 * The text before a version line when no rule knows it, as some consoles have it; else empty. A `#` in it makes the
 * line the output of a program.
 */
function ownPrefixOf(line: string): string {
  if (line.length > OWN_PREFIX_MAX) return '';
  const version = VERSION_AT_END.exec(line.slice(-VERSION_LENGTH_MAX))?.[0];
  if (version === undefined) return '';
  const prefix = line.slice(0, line.length - version.length);
  return prefix.slice(prefixLength(prefix)).trim() === '' || prefix.includes('#') ? '' : prefix;
}
