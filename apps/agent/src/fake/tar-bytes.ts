const BLOCK = 512;

/** A header as a test wants it; everything that is not given is what a well-behaved program writes. */
export interface TarFields {
  name?: string | Buffer;
  mode?: string;
  size?: string | Buffer;
  type?: string;
  link?: string;
  magic?: string;
  prefix?: string;
  /** Instead of the right one. */
  checksum?: string;
  /** Any bytes at any place, before the checksum is made. */
  patch?: (block: Buffer) => void;
}

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;

/** One header block, byte by byte. */
export function tarHeader(fields: TarFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (offset: number, value: string | Buffer): void => {
    (typeof value === 'string' ? Buffer.from(value, 'latin1') : value).copy(block, offset);
  };
  put(0, typeof fields.name === 'string' ? Buffer.from(fields.name) : (fields.name ?? Buffer.from('file')));
  put(100, fields.mode ?? octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, fields.size ?? octal(0, 11));
  put(136, octal(0, 11));
  put(156, fields.type ?? '0');
  put(157, fields.link ?? '');
  put(257, fields.magic ?? 'ustar\u000000');
  put(345, fields.prefix ?? '');
  fields.patch?.(block);
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0 : byte), 8 * 0x20);
  put(148, fields.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);

/** An entry with its content. The header says the content's length unless `size` is given. */
export function tarEntry(fields: TarFields, content: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([tarHeader({ size: octal(bytes.length, 11), ...fields }), padded(bytes)]);
}

export const tarFolder = (name: string): Buffer => tarHeader({ name: `${name}/`, type: '5', mode: octal(0o755, 7) });

/** A pax header for the entry behind it. */
export function paxHeader(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const text = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + String(rest).length;
    if (rest + String(length).length !== length) length = rest + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return tarEntry({ name: 'pax', type }, text.join(''));
}

/** GNU tar's long name for the entry behind it. */
export const longName = (name: string): Buffer =>
  tarEntry({ name: '././@LongLink', type: 'L', magic: 'ustar  \0' }, `${name}\0`);

/** A size as GNU tar writes it from 8 GiB on. */
export function base256(value: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  const mark = value < 0n ? 0xff : 0x80;
  let rest = value < 0n ? (1n << 88n) + value : value;
  for (let index = 11; index > 0; index -= 1) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = mark;
  return bytes;
}

/** Two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** A whole archive of these parts. */
export const tarOf = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, TAR_END]);

/** Gives every block that looks like a header its right checksum. */
export function mendChecksums(archive: Buffer): void {
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    const block = archive.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0 : byte), 256);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  }
}
