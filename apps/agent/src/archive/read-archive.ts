import { ArchiveError, showName } from './archive-error.js';
import { ByteSource } from './byte-source.js';
import { type NameLimits, SeenNames, whyUncleanName } from './clean-name.js';
import { EXTENDED_HEADER_MAX_BYTES, checkGlobalPax, parsePax } from './pax.js';
import { BLOCK_BYTES, type TarHeader, isZero, parseHeader, refuseCompressed } from './tar-header.js';

/** What an archive may hold at most. */
export interface ArchiveLimits extends NameLimits {
  /** Files and folders. */
  entries: number;
  /** Bytes of one file. */
  fileBytes: number;
  /** Bytes of all files together. */
  totalBytes: number;
}

/** A plain file or folder of an archive, with a clean name. */
export interface ArchiveEntry {
  /** Relative, `/` between the components, no `/` at the end. */
  name: string;
  kind: 'file' | 'folder';
  sizeBytes: number;
  /** Permission bits, none of set-user-id, set-group-id, sticky and world-writable among them. */
  mode: number;
  /** The file's bytes, as they are read; may be left unread, but not read after the next entry was asked for. */
  content(): AsyncGenerator<Buffer, void, undefined>;
}

/** Bits that are refused: set-user-id, set-group-id, sticky, world-writable. */
const SPECIAL_BITS = 0o7000;
const WORLD_WRITABLE = 0o002;

/** Archives are filled up with zeros to a multiple of this, in bytes (20 blocks, the default of all tar programs). */
const RECORD_BYTES = 20 * BLOCK_BYTES;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a tar archive (ustar, pax or GNU format, not compressed) as a stream and hands out plain files and
 * folders only. Throws ArchiveError at the first thing that is not accepted: links, devices, FIFOs, sparse
 * files, unclean or repeated names, special modes, wrong checksums, anything above a limit, a missing or
 * early end, data behind the end. What was handed out before that is not to be trusted. Memory is bounded by
 * the limits, and so is the length that is read.
 */
export async function* readArchive(
  source: AsyncIterable<Buffer>,
  limits: ArchiveLimits,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  const bytes = new ByteSource(source);
  try {
    const names = new SeenNames();
    let entries = 0;
    let totalBytes = 0;
    for (let first = true; ; first = false) {
      const header = await nextHeader(bytes, first);
      if (header === null) return;
      entries += 1;
      if (entries > limits.entries) throw new ArchiveError(`it has more than ${limits.entries} entries`);
      const entry = checkEntry(header, limits, names);
      totalBytes += entry.sizeBytes;
      if (totalBytes > limits.totalBytes) throw new ArchiveError(`it unpacks to more than ${limits.totalBytes} bytes`);
      const content = new Content(bytes, entry.sizeBytes, entry.name);
      yield { ...entry, content: () => content.read() };
      await content.skip();
    }
  } finally {
    await bytes.close();
  }
}

/** A header with its extended headers applied; null at the end of the archive. */
async function nextHeader(bytes: ByteSource, first: boolean): Promise<TarHeader | null> {
  /** Says how the next entry is called: at most one of a pax header and a GNU long name. */
  let extended: { path: Buffer | null; sizeBytes: number | null } | null = null;
  let sawGlobal = false;
  for (let isFirst = first; ; isFirst = false) {
    const block = await readBlock(bytes, isFirst);
    if (isZero(block)) {
      if (extended !== null) throw new ArchiveError('it ends behind an extended header');
      await checkEnd(bytes);
      return null;
    }
    const header = parseHeader(block, isFirst);
    if (header.type === '0' || header.type === '5') {
      if (extended?.sizeBytes != null && extended.sizeBytes !== header.sizeBytes) {
        throw new ArchiveError(`entry ${showName(header.name.toString('latin1'))} has two different sizes`);
      }
      return extended?.path == null ? header : { ...header, name: extended.path };
    }
    const text = await readText(bytes, header);
    if (header.type === 'g') {
      // One is what `git archive` writes; more only make a reader work.
      if (sawGlobal || extended !== null) throw new ArchiveError('it has several extended headers in a row');
      sawGlobal = true;
      checkGlobalPax(text);
      continue;
    }
    if (extended !== null) throw new ArchiveError('it has several extended headers for one entry');
    extended = header.type === 'x' ? parsePax(text) : { path: longName(text), sizeBytes: null };
  }
}

async function readBlock(bytes: ByteSource, first: boolean): Promise<Buffer> {
  const block = await bytes.read(BLOCK_BYTES);
  if (first) refuseCompressed(block);
  if (block.length < BLOCK_BYTES) throw new ArchiveError('it is cut off: its end mark is missing');
  return block;
}

/** The text of an extended header, without its padding. */
async function readText(bytes: ByteSource, { sizeBytes }: TarHeader): Promise<Buffer> {
  if (sizeBytes > EXTENDED_HEADER_MAX_BYTES) {
    throw new ArchiveError(`an extended header has more than ${EXTENDED_HEADER_MAX_BYTES} bytes`);
  }
  const padded = Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  const text = await bytes.read(padded);
  if (text.length < padded) throw new ArchiveError('it is cut off in an extended header');
  return text.subarray(0, sizeBytes);
}

function longName(text: Buffer): Buffer {
  const end = text.indexOf(0);
  if (end !== text.length - 1) throw new ArchiveError('a long name does not end with its only NUL');
  return text.subarray(0, end);
}

/** Behind the first block of zeros: a second one, and zeros up to the end of the record. */
async function checkEnd(bytes: ByteSource): Promise<void> {
  if (!isZero(await readBlock(bytes, false))) throw new ArchiveError('it has data behind its end mark');
  let padding = 0;
  for (;;) {
    const rest = await bytes.take(RECORD_BYTES);
    if (rest === null) return;
    padding += rest.length;
    if (padding > RECORD_BYTES || !isZero(rest)) throw new ArchiveError('it has data behind its end mark');
  }
}

function checkEntry(header: TarHeader, limits: ArchiveLimits, names: SeenNames): Omit<ArchiveEntry, 'content'> {
  let name: string;
  try {
    name = UTF8.decode(header.name);
  } catch {
    throw new ArchiveError(`entry ${showName(header.name.toString('latin1'))} has a name that is not UTF-8`);
  }
  const kind = header.type === '5' ? 'folder' : 'file';
  if (kind === 'folder' && name.endsWith('/')) name = name.slice(0, -1);
  const refuse = (why: string): never => {
    throw new ArchiveError(`entry ${showName(name)} ${why}`);
  };
  const unclean = whyUncleanName(name, limits) ?? names.add(name, kind);
  if (unclean !== null) refuse(unclean);
  const mode = header.mode ?? 0;
  if (mode > 0o7777) refuse('has bits that are no permissions in its mode');
  if ((mode & SPECIAL_BITS) !== 0) refuse('has a set-user-id, set-group-id or sticky bit');
  if ((mode & WORLD_WRITABLE) !== 0) refuse('is world-writable');
  if (kind === 'folder' && header.sizeBytes !== 0) refuse('is a folder with content');
  if (header.sizeBytes > limits.fileBytes) refuse(`has more than ${limits.fileBytes} bytes`);
  return { name, kind, sizeBytes: header.sizeBytes, mode };
}

/** The bytes of one entry and the padding behind them. */
class Content {
  #restBytes: number;
  readonly #paddingBytes: number;
  #isPassed = false;

  readonly #bytes: ByteSource;
  readonly #name: string;

  constructor(bytes: ByteSource, sizeBytes: number, name: string) {
    this.#bytes = bytes;
    this.#name = name;
    this.#restBytes = sizeBytes;
    this.#paddingBytes = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#isPassed) throw new Error(`the content of ${showName(this.#name)} was read too late`);
    while (this.#restBytes > 0) {
      const part = await this.#bytes.take(this.#restBytes);
      if (part === null) throw new ArchiveError(`it is cut off in entry ${showName(this.#name)}`);
      this.#restBytes -= part.length;
      yield part;
    }
  }

  /** Reads over what is left of it. */
  async skip(): Promise<void> {
    for await (const part of this.read()) void part;
    this.#isPassed = true;
    const padding = await this.#bytes.read(this.#paddingBytes);
    if (padding.length < this.#paddingBytes) throw new ArchiveError('it is cut off: its end mark is missing');
  }
}
