/** The parts of DER that a signature is made of. Lengths below 4 GiB. */

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** [N] of a constructed value. */
export const context = (number: number): number => 0xa0 | number;
/** [N] in place of the tag of a primitive value. */
export const primitive = (number: number): number => 0x80 | number;

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}

/** One value: tag, length, and its parts one after the other. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthBytes(content.length), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts);

/** An object identifier in dots. */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128)) groups.unshift(0x80 | (more % 128));
    bytes.push(...groups);
  }
  return der(TAG.oid, Buffer.from(bytes));
}

/** A value as it lies in a buffer: `whole` with tag and length, `content` without. */
export interface Piece {
  tag: number;
  content: Buffer;
  whole: Buffer;
}

/** Takes a constructed value apart. Throws RangeError when it is cut off or has a length of no definite form. */
export function pieces(content: Buffer): Piece[] {
  const found: Piece[] = [];
  for (let at = 0; at < content.length; ) {
    const tag = content.readUInt8(at);
    const first = content.readUInt8(at + 1);
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || more > 4) throw new RangeError('the length of a value is of no definite form');
    const length = more === 0 ? first : content.readUIntBE(at + 2, more);
    const begin = at + 2 + more;
    const end = begin + length;
    if (end > content.length) throw new RangeError('a value is cut off');
    found.push({ tag, content: content.subarray(begin, end), whole: content.subarray(at, end) });
    at = end;
  }
  return found;
}
