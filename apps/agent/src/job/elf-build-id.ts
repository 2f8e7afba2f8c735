import { buildIdOfNotes, NOTES_MAX_BYTES } from './kernel-identity.js';

/** ELF-64, little endian; offsets of the ELF header and of a section header (System V ABI). */
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SHT_NOTE = 7;

/** The build-id of an ELF file in hex; empty when it has none, or is no ELF-64 file. The file is not trusted. */
export function buildIdOfElf(file: Buffer): string {
  if (file.length < HEADER_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) return '';
  const sectionsAt = Number(file.readBigUInt64LE(0x28));
  const [sectionBytes, sections] = [file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)];
  if (sectionBytes !== SECTION_BYTES) return '';
  for (let index = 0; index < sections; index += 1) {
    const at = sectionsAt + index * SECTION_BYTES;
    if (!Number.isSafeInteger(at) || at + SECTION_BYTES > file.length) return '';
    if (file.readUInt32LE(at + 4) !== SHT_NOTE) continue;
    const [from, length] = [Number(file.readBigUInt64LE(at + 0x18)), Number(file.readBigUInt64LE(at + 0x20))];
    if (!Number.isSafeInteger(from + length) || from + length > file.length || length > NOTES_MAX_BYTES) continue;
    const buildId = buildIdOfNotes(file.toString('hex', from, from + length));
    if (buildId !== '') return buildId;
  }
  return '';
}
