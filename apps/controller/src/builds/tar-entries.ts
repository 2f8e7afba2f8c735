import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 512;
/** Most entries that are scanned: a bundle has some dozen files, and each entry costs one read. */
const ENTRIES_MAX = 4096;
/** Entry types of plain files; the second is the one from before POSIX. */
const PLAIN = new Set(['0', '\0']);
const FOLDER = '5';

/** A plain file or a folder in a tar. */
export interface TarEntry {
  /** Without a leading `./`. */
  name: string;
  isPlain: boolean;
  /** Where its content begins in the tar, in bytes. */
  at: number;
  sizeBytes: number;
}

/** Why a file is not a tar that this controller reads, in a sentence for people. */
export class TarProblem extends Error {}

/**
 * The entries of an uncompressed tar, in order. Reads the headers only.
 * @throws TarProblem for content that is not such a tar; entries before that place have been yielded by then
 */
export async function* tarEntries(file: FileHandle, fileBytes: number): AsyncGenerator<TarEntry> {
  let at = 0;
  for (let entry = 0; at + BLOCK_BYTES <= fileBytes; entry += 1) {
    if (entry >= ENTRIES_MAX) throw new TarProblem(`the tar has more than ${ENTRIES_MAX} entries`);
    const header = await readAt(file, at, BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) break;
    const found = readHeader(header);
    if (found === null) throw new TarProblem(`no valid tar entry at byte ${at}; pack it with tar --format=ustar`);
    const { name, type, sizeBytes } = found;
    // Other types rename the next entry, or are links: no bundle needs them.
    if (!PLAIN.has(type) && type !== FOLDER)
      throw new TarProblem(`${name} in the tar is not a plain file; pack it with tar --format=ustar`);
    const content = at + BLOCK_BYTES;
    if (content + sizeBytes > fileBytes) throw new TarProblem(`the tar ends in the middle of ${name}`);
    yield { name, isPlain: PLAIN.has(type), at: content, sizeBytes };
    at = content + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
}

/**
 * The one plain file of this name in a tar. All entries are scanned: unpacking would let a second one replace the first.
 * @throws TarProblem when there is none, more than one, or the file is no tar
 */
export async function findTarFile(file: FileHandle, fileBytes: number, name: string): Promise<TarEntry> {
  let found: TarEntry | null = null;
  for await (const entry of tarEntries(file, fileBytes)) {
    if (entry.name !== name || !entry.isPlain) continue;
    if (found !== null) throw new TarProblem(`the tar has ${name} twice`);
    found = entry;
  }
  if (found === null) throw new TarProblem(`the tar has no file ${name}`);
  return found;
}

/** Name without a leading `./`, type and size of an entry; null when the checksum or the size is wrong. */
function readHeader(header: Buffer): { name: string; type: string; sizeBytes: number } | null {
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  if (octal(header, 148, 8) !== sum) return null;
  const sizeBytes = octal(header, 124, 12);
  if (sizeBytes === null) return null;
  const isUstar = header.toString('latin1', 257, 262) === 'ustar';
  const prefix = isUstar ? textOf(header, 345, 155) : '';
  const name = (prefix === '' ? '' : `${prefix}/`) + textOf(header, 0, 100);
  return { name: name.replace(/^(?:\.\/)+/, ''), type: header.toString('latin1', 156, 157), sizeBytes };
}

function textOf(header: Buffer, offset: number, length: number): string {
  return header.toString('utf8', offset, offset + length).replace(/\0[^]*$/, '');
}

/** A number of octal digits; null for anything else, such as the base-256 numbers of files above 8 GiB. */
function octal(header: Buffer, offset: number, length: number): number | null {
  const text = header
    .toString('latin1', offset, offset + length)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  return /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : null;
}

/** Bytes of a file from a position on; fewer at its end. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
