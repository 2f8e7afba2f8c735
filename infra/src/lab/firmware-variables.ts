import { LabError } from './errors.js';

/**
 * The memory of EDK II's firmware (OVMF) as it lies in a file: a firmware volume with one store of variables, each with a
 * header of 60 bytes, at multiples of four. A variable that is replaced stays, marked as deleted.
 */
const VOLUME_MARK = '_FVH';
/** gEfiAuthenticatedVariableGuid */
const STORE = Buffer.from('782cf3aa7b949a43a1802e144ec37792', 'hex');
const STORE_HEADER_BYTES = 28;
const VARIABLE_MARK = 0x55aa;
const HEADER_BYTES = 60;
const ADDED = 0x3f;
/** Bits that are cleared are those that say it. */
const DELETED = ADDED & 0xfd;
const ALIGNMENT = 4;
/** EFI_IMAGE_SECURITY_DATABASE_GUID, of the keys that the firmware trusts. */
const DB_VENDOR = Buffer.from('cbb219d73a3d9645a3bcdad00e67656f', 'hex');
/** EFI_CERT_X509_GUID */
const X509 = Buffer.from('a159c0a5e494a74a87b5ab155c2bf072', 'hex');
/** Who put the key there: a name of the lab's own. */
const OWNER = Buffer.from('7065657261622d6c61622d6b65792d31', 'hex');

interface Variable {
  at: number;
  state: number;
  name: string;
  vendor: Buffer;
  dataAt: number;
  data: Buffer;
  end: number;
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Where the variables of a memory begin and where its store ends, in bytes. */
function storeOf(memory: Buffer): { begin: number; end: number } {
  const at = memory.length < 64 ? 0 : memory.readUInt16LE(48);
  const isStore = memory.toString('latin1', 40, 44) === VOLUME_MARK && memory.subarray(at, at + 16).equals(STORE);
  if (!isStore) throw new LabError('the memory of the firmware is not of the form that OVMF has', 'install ovmf again');
  return { begin: at + STORE_HEADER_BYTES, end: at + memory.readUInt32LE(at + 16) };
}

/** All variables in the order in which they were written, those that were deleted too. */
export function readVariables(memory: Buffer): Variable[] {
  const { begin, end } = storeOf(memory);
  const found: Variable[] = [];
  for (let at = begin; at + HEADER_BYTES < end && memory.readUInt16LE(at) === VARIABLE_MARK; ) {
    const nameAt = at + HEADER_BYTES;
    const dataAt = nameAt + memory.readUInt32LE(at + 36);
    const dataEnd = dataAt + memory.readUInt32LE(at + 40);
    found.push({
      at,
      state: memory.readUInt8(at + 2),
      name: memory.toString('utf16le', nameAt, dataAt - 2),
      vendor: memory.subarray(at + 44, nameAt),
      dataAt,
      data: memory.subarray(dataAt, dataEnd),
      end: aligned(dataEnd),
    });
    at = aligned(dataEnd);
  }
  return found;
}

/**
 * The memory with one more certificate in db, as the owner of a machine adds it in the set-up of the firmware. Throws
 * LabError when it has no db, or no room.
 * @param certificate DER
 */
export function withTrustedCertificate(memory: Buffer, certificate: Buffer): Buffer {
  const variables = readVariables(memory);
  const db = variables.find(({ name, vendor, state }) => name === 'db' && state === ADDED && vendor.equals(DB_VENDOR));
  const last = variables.at(-1);
  if (db === undefined || last === undefined) {
    throw new LabError('the memory of the firmware has no keys of Secure Boot', 'install ovmf again');
  }
  const list = Buffer.alloc(28);
  X509.copy(list);
  list.writeUInt32LE(28 + 16 + certificate.length, 16);
  list.writeUInt32LE(16 + certificate.length, 24);
  const data = Buffer.concat([db.data, list, OWNER, certificate]);
  const head = Buffer.from(memory.subarray(db.at, db.dataAt));
  head.writeUInt32LE(data.length, 40);
  const dataAt = last.end + head.length;
  if (dataAt + data.length > storeOf(memory).end) {
    throw new LabError('the memory of the firmware has no room for another key', 'use another ovmf');
  }
  const changed = Buffer.from(memory);
  changed.writeUInt8(DELETED, db.at + 2);
  head.copy(changed, last.end);
  data.copy(changed, dataAt);
  return changed;
}
