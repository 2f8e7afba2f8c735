import { createHash } from 'node:crypto';

/** An image that is not signed: its form is not the one that every loader reads in the same way. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

/** Places in the file, in bytes. */
export interface PeImage {
  checksumAt: number;
  /** The entry of the table of signatures: its place in the file, and its size. */
  signaturesAt: number;
}

const PE_SIGNATURE = 0x00004550;
const MACHINE_X86_64 = 0x8664;
const PE32_PLUS = 0x020b;
/** Index of the table of signatures among the data directories. */
const SIGNATURES = 4;
const SECTION_BYTES = 40;
/** Linux has fewer than ten. */
const SECTIONS_MAX = 96;
/** Of the table of signatures: each begins at a multiple of it. */
const ALIGNMENT = 8;

/**
 * Reads where an EFI application for x86-64 has what a signature leaves out. Throws ImageError unless header and sections lie one after
 * the other up to the end, or to what follows the last of them: firmware and shim count bytes and do not look for gaps.
 */
export function readPeImage(image: Buffer): PeImage {
  try {
    return read(image);
  } catch (error) {
    if (error instanceof RangeError) throw new ImageError('its header is cut off');
    throw error;
  }
}

/** Where the headers begin that are the same in every image for x86-64: that of the file, and the optional one. */
function headersOf(image: Buffer): { peAt: number; optionalAt: number; signaturesAt: number } {
  if (image.toString('latin1', 0, 2) !== 'MZ') throw new ImageError('it is no EFI application (no MZ header)');
  const peAt = image.readUInt32LE(0x3c);
  if (image.readUInt32LE(peAt) !== PE_SIGNATURE) throw new ImageError('it is no EFI application (no PE header)');
  const optionalAt = peAt + 24;
  if (image.readUInt16LE(peAt + 4) !== MACHINE_X86_64 || image.readUInt16LE(optionalAt) !== PE32_PLUS) {
    throw new ImageError('it is an EFI application for another processor than x86-64');
  }
  if (image.readUInt32LE(optionalAt + 108) <= SIGNATURES)
    throw new ImageError('its header has no room for a signature');
  return { peAt, optionalAt, signaturesAt: optionalAt + 112 + SIGNATURES * 8 };
}

function read(image: Buffer): PeImage {
  const { peAt, optionalAt, signaturesAt } = headersOf(image);
  if (image.readBigUInt64LE(signaturesAt) !== 0n) throw new ImageError('it has a signature already');
  checkLayout(image, peAt, optionalAt);
  return { checksumAt: optionalAt + 64, signaturesAt };
}

function checkLayout(image: Buffer, peAt: number, optionalAt: number): void {
  const count = image.readUInt16LE(peAt + 6);
  if (count === 0 || count > SECTIONS_MAX) throw new ImageError(`it has ${count} sections`);
  const tableAt = optionalAt + image.readUInt16LE(peAt + 20);
  const headerBytes = image.readUInt32LE(optionalAt + 60);
  if (tableAt < optionalAt + 112 + (SIGNATURES + 1) * 8 || tableAt + count * SECTION_BYTES > headerBytes) {
    throw new ImageError('its table of sections lies outside of its header');
  }
  const sections = Array.from({ length: count }, (_, index) => {
    const at = tableAt + index * SECTION_BYTES;
    return { at: image.readUInt32LE(at + 20), bytes: image.readUInt32LE(at + 16) };
  });
  let end = headerBytes;
  for (const { at, bytes } of sections.filter((one) => one.bytes > 0).sort((a, b) => a.at - b.at)) {
    if (at !== end) throw new ImageError(`its sections do not lie one after the other (at byte ${end})`);
    end = at + bytes;
  }
  if (end > image.length) throw new ImageError('it is cut off');
}

/** An image without its signatures, which lie at its end; as it is when it has none. Throws ImageError for what is no image. */
export function withoutSignature(image: Buffer): Buffer {
  try {
    const { signaturesAt } = headersOf(image);
    const [at, bytes] = [image.readUInt32LE(signaturesAt), image.readUInt32LE(signaturesAt + 4)];
    if (bytes === 0) return image;
    if (at <= signaturesAt + 8 || at + bytes !== image.length) throw new ImageError('its signature is not at its end');
    const bare = Buffer.from(image.subarray(0, at));
    bare.fill(0, signaturesAt, signaturesAt + 8);
    return bare;
  } catch (error) {
    if (error instanceof RangeError) throw new ImageError('its header is cut off');
    throw error;
  }
}

/** With the zeros that a signature needs before it, which are signed, too. */
export const padded = (image: Buffer): Buffer =>
  Buffer.concat([image, Buffer.alloc((ALIGNMENT - (image.length % ALIGNMENT)) % ALIGNMENT)]);

/** SHA-256 of what a signature stands for: all of a padded image but its checksum and its entry of signatures. */
export function authenticodeDigest(image: Buffer, { checksumAt, signaturesAt }: PeImage): Buffer {
  return createHash('sha256')
    .update(image.subarray(0, checksumAt))
    .update(image.subarray(checksumAt + 4, signaturesAt))
    .update(image.subarray(signaturesAt + 8))
    .digest();
}

/** A padded image with this signature, a PKCS #7 message, behind it. */
export function attachSignature(image: Buffer, { checksumAt, signaturesAt }: PeImage, signature: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(head.length + signature.length, 0);
  // Revision 2, PKCS #7.
  head.writeUInt16LE(0x0200, 4);
  head.writeUInt16LE(0x0002, 6);
  const table = padded(Buffer.concat([head, signature]));
  const signed = Buffer.concat([image, table]);
  signed.writeUInt32LE(image.length, signaturesAt);
  signed.writeUInt32LE(table.length, signaturesAt + 4);
  // No loader reads it; zero means that there is none.
  signed.writeUInt32LE(0, checksumAt);
  return signed;
}
