/** Why bytes are not what gcc or the kernel writes for gcov, in a phrase for people. */
export class GcovError extends Error {}

/** Longest name in a file of gcc's notes, in bytes. */
const NAME_MAX_BYTES = 4096;

/** Major versions of gcc whose notes and counters are read: from 12 on lengths are in bytes, and both have a checksum. */
const GCC_MIN = 12;
const GCC_MAX = 14;

/** Reads words (32 bits, little-endian) and texts in the order that gcov-io.h of gcc describes. Throws GcovError at the end. */
export class GcovBytes {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  word(): number {
    if (this.left < 4) throw new GcovError('it is cut off');
    const value = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  /** 64 bits, the lower half first. */
  counter(): bigint {
    const low = this.word();
    return (BigInt(this.word()) << 32n) | BigInt(low);
  }

  /** A length in bytes, the NUL at the end included, and the text; empty where the length is 0. */
  text(): string {
    const length = this.word();
    if (length > NAME_MAX_BYTES) throw new GcovError(`a name has ${length} bytes`);
    if (length > this.left) throw new GcovError('it is cut off in a name');
    const text = this.#bytes.toString('utf8', this.#at, this.#at + Math.max(0, length - 1));
    this.#at += length;
    return text;
  }

  /** Goes on at a place that was computed from a length in the file. */
  skipTo(at: number): void {
    if (at < this.#at || at > this.#bytes.length) throw new GcovError('a record has a wrong length');
    this.#at = at;
  }

  /** The file's first words. `magic`: gcno or gcda, as letters. */
  header(magic: 'gcno' | 'gcda'): { stamp: number; checksum: number } {
    if (letters(this.word()) !== magic) throw new GcovError(`it does not begin with ${magic}`);
    const version = letters(this.word());
    const major = (version.charCodeAt(0) - 0x41) * 10 + (version.charCodeAt(1) - 0x30);
    if (!(major >= GCC_MIN && major <= GCC_MAX)) {
      throw new GcovError(`it is of a compiler that is not known here; gcc ${GCC_MIN} to ${GCC_MAX} are`);
    }
    return { stamp: this.word(), checksum: this.word() };
  }
}

const letters = (word: number): string =>
  String.fromCharCode(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
