/** Longest name of one file or folder on Linux, in bytes (NAME_MAX). */
const COMPONENT_MAX_BYTES = 255;

/** Control and invisible formatting characters, line and paragraph separators: they forge lines of a log. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

export interface NameLimits {
  /** Longest whole name, in bytes. */
  nameBytes: number;
  /** Most components of a name, the file itself included. */
  depth: number;
}

/**
 * Why a relative name with `/` between its components is not accepted; null when it is. A clean name, joined
 * to a folder, always lies below that folder.
 */
export function whyUncleanName(name: string, limits: NameLimits): string | null {
  if (name === '') return 'has an empty name';
  if (Buffer.byteLength(name) > limits.nameBytes) return `has a name of more than ${limits.nameBytes} bytes`;
  if (INVISIBLE.test(name)) return 'has a control or formatting character in its name';
  if (name.includes('\\')) return 'has a backslash in its name';
  if (name.startsWith('/')) return 'has an absolute name';
  const components = name.split('/');
  if (components.length > limits.depth) return `lies more than ${limits.depth} folders deep`;
  for (const component of components) {
    if (component === '') return 'has an empty component in its name';
    if (component === '.' || component === '..') return `has the component "${component}" in its name`;
    if (Buffer.byteLength(component) > COMPONENT_MAX_BYTES) {
      return `has a component of more than ${COMPONENT_MAX_BYTES} bytes in its name`;
    }
  }
  return null;
}

/** The names of an archive so far. Memory grows with the number of entries, which the reader limits. */
export class SeenNames {
  readonly #exact = new Set<string>();
  /** In lower case and one Unicode form. */
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  /**
   * Adds a clean name; the reason when it does not fit the names before. Two files may differ in case alone
   * (the kernel has such modules), but no name may be a file in one spelling and a folder in another.
   */
  add(name: string, kind: 'file' | 'folder'): string | null {
    if (this.#exact.has(name)) return 'occurs twice';
    this.#exact.add(name);
    const folded = name.normalize('NFC').toLowerCase();
    for (let end = folded.indexOf('/'); end !== -1; end = folded.indexOf('/', end + 1)) {
      const parent = folded.slice(0, end);
      if (this.#files.has(parent)) return 'lies below a name that is a file';
      this.#folders.add(parent);
    }
    if (kind === 'file') {
      if (this.#folders.has(folded)) return 'is a file where another entry has a folder';
      this.#files.add(folded);
    } else {
      if (this.#files.has(folded)) return 'is a folder where another entry has a file';
      this.#folders.add(folded);
    }
    return null;
  }
}
