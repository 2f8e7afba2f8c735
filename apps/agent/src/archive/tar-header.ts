import { ArchiveError, showName } from './archive-error.js';

export const BLOCK_BYTES = 512;

/** One header block, checked; `name` is as the block has it, before any extended header. */
export interface TarHeader {
  name: Buffer;
  /** One character: `0` file, `5` folder, `x` and `g` pax, `L` long name of GNU tar. */
  type: string;
  sizeBytes: number;
  /** Permission bits; null where an extended header has none that count. */
  mode: number | null;
}

/** Types that are refused, in words. */
const REFUSED_TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a FIFO',
  '7': 'a contiguous file',
  D: 'a directory dump of GNU tar',
  K: 'a long link target of GNU tar',
  M: 'a part of another volume',
  N: 'a long name of an old GNU tar',
  S: 'a sparse file',
  V: 'a volume label',
};

/** First bytes of compressed files: people try them, and the reason should say so. */
const COMPRESSED: readonly (readonly [string, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh')],
];

/** Offset and length of the fields of a header, in bytes. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  size: [124, 12],
  checksum: [148, 8],
  link: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
  /** What no format uses behind the prefix. */
  pad: [500, 12],
} as const;

type Field = keyof typeof FIELD;

function field(block: Buffer, name: Field): Buffer {
  const [offset, length] = FIELD[name];
  return block.subarray(offset, offset + length);
}

export const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

/**
 * Reads a header block strictly: where two programs could read a field in two ways, it is refused. Throws
 * ArchiveError. `first` = no block came before it.
 */
export function parseHeader(block: Buffer, first: boolean): TarHeader {
  checkSum(block, first);
  const magic = field(block, 'magic').toString('latin1');
  const format = magic === 'ustar\u000000' ? 'ustar' : magic === 'ustar  \0' ? 'gnu' : null;
  const short = textOf(block, 'name');
  const shown = showName(short.toString('latin1'));
  if (format === null) throw new ArchiveError(`entry ${shown} has no header of the ustar or GNU format`);
  const flag = String.fromCharCode(block[156] ?? 0);
  const type = flag === '\0' ? '0' : flag;
  if (!'05xgL'.includes(type)) {
    throw new ArchiveError(`entry ${shown} is ${REFUSED_TYPES[type] ?? `of the unknown type ${showName(type)}`}`);
  }
  if (!isZero(field(block, 'link'))) throw new ArchiveError(`entry ${shown} has a link target`);
  if (!isZero(field(block, 'pad'))) throw new ArchiveError(`entry ${shown} has bytes behind its header's fields`);
  // GNU tar keeps the times and the sparse map of incremental archives where ustar has the prefix.
  if (format === 'gnu' && !isZero(field(block, 'prefix'))) {
    throw new ArchiveError(`entry ${shown} has fields of an incremental or sparse archive`);
  }
  const prefix = textOf(block, 'prefix');
  return {
    name: prefix.length === 0 ? short : Buffer.concat([prefix, Buffer.from('/'), short]),
    type,
    sizeBytes: sizeOf(field(block, 'size'), shown),
    mode: type === '0' || type === '5' ? octal(field(block, 'mode'), 'mode', shown) : null,
  };
}

/** Throws ArchiveError when the first bytes of an archive are those of a compressed file. */
export function refuseCompressed(start: Buffer): void {
  const compression = COMPRESSED.find(([, magic]) => start.subarray(0, magic.length).equals(magic))?.[0];
  if (compression === undefined) return;
  throw new ArchiveError(`it is compressed (${compression}); only plain tar archives are accepted`);
}

function checkSum(block: Buffer, first: boolean): void {
  const [offset, length] = FIELD.checksum;
  let sum = length * 0x20;
  for (const [index, byte] of block.entries()) {
    if (index < offset || index >= offset + length) sum += byte;
  }
  const text = field(block, 'checksum').toString('latin1');
  const said = /^ *([0-7]+)[ \0]*$/.exec(text)?.[1];
  if (said !== undefined && Number.parseInt(said, 8) === sum) return;
  throw new ArchiveError(
    first ? 'it is no tar archive: its first header has a wrong checksum' : 'a header has a wrong checksum',
  );
}

/** A text up to its first NUL; what stands behind that would be read by one program and not by another. */
function textOf(block: Buffer, name: 'name' | 'prefix'): Buffer {
  const bytes = field(block, name);
  const end = bytes.indexOf(0);
  if (end === -1) return bytes;
  if (!isZero(bytes.subarray(end))) throw new ArchiveError(`a header has bytes behind the end of its ${name}`);
  return bytes.subarray(0, end);
}

function octal(bytes: Buffer, what: string, shown: string): number {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(bytes.toString('latin1'))?.[1];
  if (digits === undefined) throw new ArchiveError(`entry ${shown} has a ${what} that is no octal number`);
  return Number.parseInt(digits, 8);
}

/** Octal, or the base-256 of GNU tar for sizes from 8 GiB on; never negative, never more than a safe integer. */
function sizeOf(bytes: Buffer, shown: string): number {
  const mark = bytes[0] ?? 0;
  if (mark < 0x80) return octal(bytes, 'size', shown);
  if (mark === 0xff) throw new ArchiveError(`entry ${shown} has a negative size`);
  if (mark !== 0x80) throw new ArchiveError(`entry ${shown} has a size that is no number`);
  const value = bytes.subarray(1).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}
