const EMPTY = Buffer.alloc(0);

/** Bytes of a stream in the portions that a reader asks for. Holds one chunk of the stream at a time. */
export class ByteSource {
  readonly #iterator: AsyncIterator<Buffer>;
  #chunk: Buffer = EMPTY;

  constructor(source: AsyncIterable<Buffer>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at least one and at most `maxBytes`; null at the end of the stream. */
  async take(maxBytes: number): Promise<Buffer | null> {
    while (this.#chunk.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return null;
      this.#chunk = next.value;
    }
    const taken = this.#chunk.subarray(0, maxBytes);
    this.#chunk = this.#chunk.subarray(taken.length);
    return taken;
  }

  /** Exactly `lengthBytes`, or fewer at the end of the stream. For small lengths: all of it is held. */
  async read(lengthBytes: number): Promise<Buffer> {
    const first = (await this.take(lengthBytes)) ?? EMPTY;
    if (first.length === lengthBytes) return first;
    const parts = [first];
    let missing = lengthBytes - first.length;
    while (missing > 0) {
      const part = await this.take(missing);
      if (part === null) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Closes the stream; nothing can be read afterwards. */
  async close(): Promise<void> {
    this.#chunk = EMPTY;
    await this.#iterator.return?.();
  }
}
