/** A piece of one direction of a connection. */
export interface Piece {
  bytes: Buffer;
  /** A whole text or binary WebSocket frame: may be sent twice without breaking the connection. */
  isData: boolean;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * Cuts one direction of a connection into its HTTP head and whole WebSocket frames. Connections that
 * are not upgraded come out as they went in.
 */
export class FrameSplitter {
  #rest = Buffer.alloc(0);
  #state: 'head' | 'frames' | 'raw' = 'head';

  push(chunk: Buffer): Piece[] {
    if (this.#state === 'raw') return [{ bytes: chunk, isData: false }];
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const pieces: Piece[] = [];
    if (this.#state === 'head') {
      const end = this.#rest.indexOf(HEAD_END);
      if (end === -1) return [];
      const head = this.#rest.subarray(0, end + HEAD_END.length);
      this.#state = /^upgrade: *websocket/im.test(head.toString('latin1')) ? 'frames' : 'raw';
      const all = this.#state === 'raw' ? this.#rest : head;
      pieces.push({ bytes: all, isData: false });
      this.#rest = this.#rest.subarray(all.length);
    }
    for (let length = frameLength(this.#rest); length !== null; length = frameLength(this.#rest)) {
      const bytes = this.#rest.subarray(0, length);
      const opcode = (bytes[0] ?? 0) & 0x0f;
      const isFinal = ((bytes[0] ?? 0) & 0x80) !== 0;
      pieces.push({ bytes, isData: isFinal && (opcode === 1 || opcode === 2) });
      this.#rest = this.#rest.subarray(length);
    }
    return pieces;
  }
}

/** Bytes of the frame that `buffer` begins with (RFC 6455, 5.2); null = it is not whole yet. */
export function frameLength(buffer: Buffer): number | null {
  if (buffer.length < 2) return null;
  const second = buffer[1] ?? 0;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  const short = second & 0x7f;
  if (short < 126) return whole(buffer, 2 + mask + short);
  if (short === 126) return buffer.length < 4 ? null : whole(buffer, 4 + mask + buffer.readUInt16BE(2));
  return buffer.length < 10 ? null : whole(buffer, 10 + mask + Number(buffer.readBigUInt64BE(2)));
}

function whole(buffer: Buffer, length: number): number | null {
  return buffer.length < length ? null : length;
}
