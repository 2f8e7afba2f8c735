import type { Readable } from 'node:stream';
import type { Flow } from './protocols.js';

/** Characters of a line that are kept in memory; a longer one is handed out in pieces of this size. */
export const LINE_PIECE_MAX = 1024 * 1024;

/**
 * Cuts a stream of bytes into lines; `\n` ends one, a `\r` before it is dropped. Bytes that are no UTF-8
 * become U+FFFD. `continues` = the piece goes on where the one before it ended; where a long line is cut
 * depends on its text alone.
 */
export class LineSplitter {
  private rest = '';
  private isInside = false;
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(private readonly onLine: (line: string, continues: boolean) => void) {}

  /** What came after the last line end. */
  get partial(): string {
    return this.rest;
  }

  push(chunk: Uint8Array): void {
    const searched = this.rest.length;
    this.rest += this.decoder.decode(chunk, { stream: true });
    let start = 0;
    for (;;) {
      const end = this.rest.indexOf('\n', Math.max(start, searched));
      if (end === -1) break;
      this.emitLine(this.rest.slice(start, end));
      start = end + 1;
    }
    if (start > 0) this.rest = this.rest.slice(start);
    this.rest = this.emitPieces(this.rest);
  }

  /** Hands out what is left as a last line. */
  end(): void {
    this.rest += this.decoder.decode();
    if (this.rest !== '' || this.isInside) this.emitLine(this.rest);
    this.rest = '';
  }

  private emitLine(line: string): void {
    this.emit(withoutReturns(this.emitPieces(line)));
    this.isInside = false;
  }

  /** Hands out whole pieces; gives what is left. */
  private emitPieces(text: string): string {
    let rest = text;
    while (rest.length > LINE_PIECE_MAX) {
      const last = rest.charCodeAt(LINE_PIECE_MAX - 1);
      const length = last >= 0xd800 && last <= 0xdbff ? LINE_PIECE_MAX - 1 : LINE_PIECE_MAX;
      this.emit(rest.slice(0, length));
      rest = rest.slice(length);
    }
    return rest;
  }

  private emit(piece: string): void {
    this.onLine(piece, this.isInside);
    this.isInside = true;
  }
}

/** A pattern would look at every `\r` of binary output again and again. */
function withoutReturns(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === '\r') end -= 1;
  return line.slice(0, end);
}

/**
 * Hands a stream on, no faster than `flow` lets it: what nobody reads stops the program's next write. Gives the end
 * of it: what arrived while the stream was held back is handed on, once, and whatever comes later is dropped, as it
 * belongs to a command that is over.
 */
export function readInto(stream: Readable, lines: LineSplitter, flow?: Flow): () => void {
  const take = (chunk: Buffer): void => {
    lines.push(chunk);
    const wait = flow?.wait() ?? null;
    if (wait === null) return;
    stream.pause();
    void wait.then(() => stream.resume());
  };
  stream.on('data', take);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    // First of all: reading tells the listeners as well.
    stream.off('data', take);
    for (let chunk: unknown = stream.read(); chunk instanceof Buffer; chunk = stream.read()) lines.push(chunk);
    lines.end();
    stream.resume();
  };
}

// The escape character is what these sequences begin with.
// eslint-disable-next-line no-control-regex
const ANSI = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78cDEHM])/g;

/** Text without terminal control sequences, for looking at; logs keep them. */
export function withoutAnsi(text: string): string {
  return text.replace(ANSI, '').replaceAll('\r', '');
}
