import { open, type FileHandle } from 'node:fs/promises';
import { BundleManifest } from '@peerlab/contracts';

const BLOCK_BYTES = 512;
/** Most entries that are scanned: a bundle has some dozen files, and each entry costs one read. */
const ENTRIES_MAX = 4096;
/** Largest manifest that is read; the route that registers it takes no larger one. */
const MANIFEST_MAX_BYTES = 4 * 1024 * 1024;
/** Entry types of plain files; the second is the one from before POSIX. */
const PLAIN = new Set(['0', '\0']);
const FOLDER = '5';

type Manifest = { manifest: BundleManifest } | { problem: string };

/**
 * Reads manifest.json from an uncompressed tar. All entries are scanned, to refuse a second manifest.json, which
 * would overwrite the first one on unpacking. Never throws for any content of the file.
 */
export async function readTarManifest(path: string): Promise<Manifest> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await scan(file, size);
  } finally {
    await file.close();
  }
}

async function scan(file: FileHandle, fileBytes: number): Promise<Manifest> {
  let text: string | null = null;
  let at = 0;
  for (let entry = 0; at + BLOCK_BYTES <= fileBytes; entry += 1) {
    if (entry >= ENTRIES_MAX) return { problem: `the tar has more than ${ENTRIES_MAX} entries` };
    const header = await readAt(file, at, BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) break;
    const found = readHeader(header);
    if (found === null) return { problem: `no valid tar entry at byte ${at}; pack it with tar --format=ustar` };
    const { name, type, sizeBytes } = found;
    // Other types rename the next entry, or are links: no bundle needs them.
    if (!PLAIN.has(type) && type !== FOLDER)
      return { problem: `${name} in the tar is not a plain file; pack it with tar --format=ustar` };
    if (at + BLOCK_BYTES + sizeBytes > fileBytes) return { problem: `the tar ends in the middle of ${name}` };
    if (name === 'manifest.json') {
      if (text !== null) return { problem: 'the tar has manifest.json twice' };
      if (!PLAIN.has(type)) return { problem: 'manifest.json in the tar is a folder' };
      if (sizeBytes > MANIFEST_MAX_BYTES) return { problem: `manifest.json has more than ${MANIFEST_MAX_BYTES} bytes` };
      text = (await readAt(file, at + BLOCK_BYTES, sizeBytes)).toString('utf8');
    }
    at += BLOCK_BYTES + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return text === null ? { problem: 'the tar has no manifest.json at its root' } : parseManifest(text);
}

function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'manifest.json in the tar is not JSON' };
  }
  const parsed = BundleManifest.safeParse(value);
  if (parsed.success) return { manifest: parsed.data };
  const issue = parsed.error.issues[0];
  return {
    problem: `manifest.json in the tar: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
  };
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

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
