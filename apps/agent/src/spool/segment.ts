import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type SpoolDisk, SpoolFault } from './spool-disk.js';

/** What every record has; the rest is the caller's. */
export interface SpoolRecord {
  seq: number;
  at: number;
}

/** The records of one append, and the bytes they take. */
export interface Entry<R> {
  records: R[];
  bytes: number;
}

const INDEX_EVERY = 256;
const READ_BYTES = 256 * 1024;

/**
 * One file of a stream: a first line with what went before it, then one line of JSON per append, a
 * record or an array of them, numbered from `firstSeq`. An append counts once its line end is on the
 * file, so it is there as a whole or not at all.
 */
export class Segment<R extends SpoolRecord> {
  /** null = closed: an older segment, opened for each reading. */
  #fd: number | null = null;
  #syncing = 0;
  sizeBytes = 0;
  /** Number after the last record; known of the newest segment only. */
  nextSeq: number;
  /** What the appends before this segment and in it stand for; known of the newest segment only. */
  units = 0;
  /** Byte position of every INDEX_EVERY-th entry, ascending. */
  readonly #index: { seq: number; offset: number }[] = [];
  #sinceIndexed = INDEX_EVERY;
  /** Where the last reading ended: the next one begins there. */
  #cursor: { seq: number; offset: number } | null = null;
  #headLength: number | null = null;

  readonly #disk: SpoolDisk;

  private constructor(
    readonly path: string,
    readonly firstSeq: number,
    disk: SpoolDisk,
  ) {
    this.#disk = disk;
    this.nextSeq = firstSeq;
  }

  /** A new file, which appears with its first line or not at all. Throws SpoolFault. */
  static create<R extends SpoolRecord>(path: string, firstSeq: number, units: number, disk: SpoolDisk): Segment<R> {
    const segment = new Segment<R>(path, firstSeq, disk);
    const head = Buffer.from(`${JSON.stringify({ units })}\n`);
    let fd: number;
    try {
      rmSync(`${path}.new`, { force: true });
      fd = openSync(`${path}.new`, 'ax+', 0o600);
    } catch (error) {
      throw new SpoolFault(error);
    }
    const { fault } = disk.append(fd, head);
    try {
      if (fault !== null) throw fault;
      fdatasyncSync(fd);
      renameSync(`${path}.new`, path);
      syncFolder(dirname(path));
    } catch (error) {
      closeSync(fd);
      rmSync(`${path}.new`, { force: true });
      throw error instanceof SpoolFault ? error : new SpoolFault(error);
    }
    segment.#fd = fd;
    segment.units = units;
    segment.#headLength = head.length;
    segment.sizeBytes = head.length;
    disk.grow(head.length);
    return segment;
  }

  /** The newest file of a stream: scanned to its last whole entry, and cut off behind it. */
  static openNewest<R extends SpoolRecord>(
    path: string,
    firstSeq: number,
    disk: SpoolDisk,
    unitsOf: (records: readonly R[]) => number,
  ): Segment<R> {
    const segment = new Segment<R>(path, firstSeq, disk);
    segment.#fd = openSync(path, 'a+');
    let offset = segment.#headBytes();
    for (const entry of segment.#entries(offset)) {
      if (entry.records[0]?.seq !== segment.nextSeq) break;
      segment.#note(segment.nextSeq, offset);
      segment.nextSeq += entry.records.length;
      segment.units += unitsOf(entry.records);
      offset += entry.bytes;
    }
    if (fstatSync(segment.#fd).size > offset) ftruncateSync(segment.#fd, offset);
    segment.sizeBytes = offset;
    disk.grow(offset);
    return segment;
  }

  /** An older file, which is only read. */
  static openOlder<R extends SpoolRecord>(path: string, firstSeq: number, disk: SpoolDisk): Segment<R> {
    const segment = new Segment<R>(path, firstSeq, disk);
    segment.sizeBytes = statSync(path).size;
    disk.grow(segment.sizeBytes);
    return segment;
  }

  /** Appends records as one entry. Throws SpoolFault, and then nothing of it is on the file. */
  append(records: readonly R[], units: number): void {
    const fd = this.#openFd();
    const bytes = Buffer.from(`${JSON.stringify(records.length === 1 ? records[0] : records)}\n`);
    const { written, fault } = this.#disk.append(fd, bytes);
    if (fault !== null) {
      if (written > 0) ftruncateSync(fd, this.sizeBytes);
      throw fault;
    }
    this.#note(this.nextSeq, this.sizeBytes);
    this.nextSeq += records.length;
    this.units += units;
    this.sizeBytes += bytes.length;
    this.#disk.grow(bytes.length);
  }

  /** Records from number `from` on, in order, with the bytes that each takes; ends at the first damage. */
  *read(from: number): Generator<{ record: R; bytes: number }> {
    const near = this.#index.findLast((entry) => entry.seq <= from);
    const start =
      this.#cursor !== null && this.#cursor.seq <= from && this.#cursor.seq > (near?.seq ?? -1) ? this.#cursor : near;
    let offset = start?.offset ?? this.#headBytes();
    for (const entry of this.#entries(offset)) {
      const each = entry.bytes / entry.records.length;
      for (const record of entry.records) {
        if (record.seq < from) continue;
        this.#cursor = { seq: entry.records[0]?.seq ?? 0, offset };
        yield { record, bytes: each };
      }
      offset += entry.bytes;
    }
  }

  /** Resolves when everything appended so far is on the disk. */
  async sync(): Promise<void> {
    const fd = this.#openFd();
    this.#syncing += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
      });
    } finally {
      this.#syncing -= 1;
      if (this.#syncing === 0 && this.#fd === null) closeSync(fd);
    }
  }

  /** Nothing more will be appended; what is there is put on the disk first. Throws SpoolFault. */
  seal(): void {
    try {
      if (this.#fd !== null) fdatasyncSync(this.#fd);
    } catch (error) {
      throw new SpoolFault(error);
    }
    this.close();
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = null;
    // A sync on its way closes the file when it is through.
    if (fd !== null && this.#syncing === 0) closeSync(fd);
  }

  /** Deletes the file. */
  remove(): void {
    this.close();
    rmSync(this.path, { force: true });
    this.#disk.shrink(this.sizeBytes);
  }

  #openFd(): number {
    if (this.#fd === null) throw new Error(`${this.path} is closed`);
    return this.#fd;
  }

  #note(seq: number, offset: number): void {
    if (this.#sinceIndexed >= INDEX_EVERY) {
      this.#index.push({ seq, offset });
      this.#sinceIndexed = 0;
    }
    this.#sinceIndexed += 1;
  }

  /** Length of the first line when it says what went before; spools of older agents have none. */
  #headBytes(): number {
    this.#headLength ??= this.#readHead();
    return this.#headLength;
  }

  #readHead(): number {
    for (const { text, bytes } of this.#texts(0)) {
      const head = parse(text) as { units?: unknown; seq?: unknown } | null;
      if (head === null || head.seq !== undefined || !Number.isInteger(head.units)) return 0;
      this.units = head.units as number;
      return bytes;
    }
    return 0;
  }

  *#entries(start: number): Generator<Entry<R>> {
    for (const { text, bytes } of this.#texts(start)) {
      const value = parse(text);
      const records = (Array.isArray(value) ? value : [value]) as (R | null)[];
      if (records.length === 0 || !records.every((record) => Number.isInteger(record?.seq))) return;
      yield { records: records as R[], bytes };
    }
  }

  /** Whole lines from a byte position on. */
  *#texts(start: number): Generator<{ text: string; bytes: number }> {
    const fd = this.#fd ?? openSync(this.path, 'r');
    try {
      let position = start;
      let rest = Buffer.alloc(0);
      const left = Math.max(1, (this.sizeBytes === 0 ? fstatSync(fd).size : this.sizeBytes) - start);
      const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, left));
      for (;;) {
        const count = readSync(fd, chunk, 0, chunk.length, position);
        if (count === 0) return;
        position += count;
        rest =
          rest.length === 0 ? Buffer.from(chunk.subarray(0, count)) : Buffer.concat([rest, chunk.subarray(0, count)]);
        let from = 0;
        for (;;) {
          const end = rest.indexOf(0x0a, from);
          if (end === -1) break;
          yield { text: rest.toString('utf8', from, end), bytes: end + 1 - from };
          from = end + 1;
        }
        rest = rest.subarray(from);
      }
    } finally {
      if (this.#fd !== fd) closeSync(fd);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** A rename is durable once its folder is. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a small file so that it is there as a whole or not at all; durable when it returns. Throws SpoolFault. */
export function replaceFile(path: string, text: string): void {
  try {
    const fd = openSync(`${path}.new`, 'w', 0o600);
    try {
      const bytes = Buffer.from(text);
      for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${path}.new`, path);
    syncFolder(dirname(path));
  } catch (error) {
    throw new SpoolFault(error);
  }
}
