import type { Readable } from 'node:stream';
import type { Backpressure } from './protocols.js';

/** Characters of a line that are kept in memory; a longer one is handed out in pieces of this size. */
export const LINE_PIECE_MAX = 1024 * 1024;

/**
 * Cuts a stream of bytes into lines; `\n` ends one, a `\r` before it is dropped. Bytes that are no UTF-8
 * become U+FFFD. `continues` = the piece goes on where the one before it ended; where a long line is cut
 * depends on its text alone.
 */
export class LineSplitter {
  #rest = '';
  #isInside = false;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  readonly #onLine: (line: string, continues: boolean) => void;

  constructor(onLine: (line: string, continues: boolean) => void) {
    this.#onLine = onLine;
  }

  /** What came after the last line end. */
  get partial(): string {
    return this.#rest;
  }

  /** Looks at the new text alone: a line that arrives byte by byte costs its length once. */
  push(chunk: Uint8Array): void {
    const text = this.#decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      const line = this.#rest + text.slice(start, end);
      this.#rest = '';
      start = end + 1;
      this.#emitLine(line);
    }
    this.#rest += start === 0 ? text : text.slice(start);
    if (this.#rest.length > LINE_PIECE_MAX) this.#rest = this.#emitPieces(this.#rest);
  }

  /** Hands out what is left as a last line. */
  end(): void {
    this.#rest += this.#decoder.decode();
    if (this.#rest !== '' || this.#isInside) this.#emitLine(this.#rest);
    this.#rest = '';
  }

  #emitLine(line: string): void {
    this.#emit(withoutReturns(this.#emitPieces(line)));
    this.#isInside = false;
  }

  /** Hands out whole pieces; gives what is left. */
  #emitPieces(text: string): string {
    let rest = text;
    while (rest.length > LINE_PIECE_MAX) {
      const last = rest.charCodeAt(LINE_PIECE_MAX - 1);
      const length = last >= 0xd800 && last <= 0xdbff ? LINE_PIECE_MAX - 1 : LINE_PIECE_MAX;
      this.#emit(rest.slice(0, length));
      rest = rest.slice(length);
    }
    return rest;
  }

  #emit(piece: string): void {
    this.#onLine(piece, this.#isInside);
    this.#isInside = true;
  }
}

/** A pattern would look at every `\r` of binary output again and again. */
function withoutReturns(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === '\r') end -= 1;
  return line.slice(0, end);
}

/**
 * Passes a stream on to `lines`, no faster than `backpressure` allows: unread output blocks the program's next write.
 * Returns a function that ends the reading: it passes on once what arrived while the stream was paused; later data
 * belongs to a command that has ended and is dropped.
 *
 * An exception while foreign bytes are processed must not leave the stream's listener, where it would end the process
 * or the connection: reading stops, and `onFault` is called once; without it, the returned function throws.
 */
export function readInto(
  stream: Readable,
  lines: LineSplitter,
  backpressure?: Backpressure,
  onFault?: (fault: unknown) => void,
): () => void {
  let fault: { thrown: unknown } | null = null;
  const guarded = (act: () => void): void => {
    if (fault !== null) return;
    try {
      act();
    } catch (error) {
      fault = { thrown: error };
      onFault?.(error);
    }
  };
  const take = (chunk: Buffer): void =>
    guarded(() => {
      lines.push(chunk);
      const wait = backpressure?.wait() ?? null;
      if (wait === null) return;
      stream.pause();
      void wait.then(() => stream.resume());
    });
  stream.on('data', take);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    // First of all: reading tells the listeners as well.
    stream.off('data', take);
    for (let chunk: unknown = stream.read(); chunk instanceof Buffer; chunk = stream.read()) {
      const rest = chunk;
      guarded(() => lines.push(rest));
    }
    guarded(() => lines.end());
    stream.resume();
    if (fault !== null && onFault === undefined) throw fault.thrown;
  };
}
