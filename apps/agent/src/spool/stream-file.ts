import { closeSync, fdatasync, ftruncateSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

/** What every record has; the rest is the caller's. */
export interface SpoolRecord {
  seq: number;
  at: number;
}

type Unnumbered<R> = R extends SpoolRecord ? Omit<R, 'seq'> : never;

const INDEX_EVERY = 256;
const READ_BYTES = 256 * 1024;

/**
 * An append-only file of numbered records, one JSON text per line. A record counts once its line end
 * is on the file; whatever follows the last whole record when the file is opened again (a torn
 * write) is cut off. Its number is used again, which is right as long as only synced records leave
 * the machine: call `sync` before sending. Appends are synchronous, so a record that was produced
 * survives `kill -9` of this process.
 */
export class StreamFile<R extends SpoolRecord> {
  private readonly fd: number;
  private sizeBytes = 0;
  private nextSeq = 0;
  private synced = 0;
  /** Byte position of every INDEX_EVERY-th record, ascending. */
  private readonly index: { seq: number; offset: number }[] = [];
  private sinceIndexed = INDEX_EVERY;

  constructor(path: string) {
    this.fd = openSync(path, 'a+', 0o600);
    this.recover();
  }

  /** Number of the record that comes next. */
  get next(): number {
    return this.nextSeq;
  }

  /** Appends records, which get the next numbers; returns the first of them. */
  append(records: readonly Unnumbered<R>[]): number {
    const first = this.nextSeq;
    let text = '';
    let offset = this.sizeBytes;
    for (const record of records) {
      const line = `${JSON.stringify({ seq: this.nextSeq, ...record })}\n`;
      this.note(this.nextSeq, offset);
      offset += Buffer.byteLength(line);
      text += line;
      this.nextSeq += 1;
    }
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length; ) written += writeSync(this.fd, bytes, written);
    this.sizeBytes = offset;
    return first;
  }

  /** Goes on with number `seq`: the receiver holds everything below it. */
  skipTo(seq: number): void {
    if (seq > this.nextSeq) this.nextSeq = seq;
  }

  /** Whole records from number `from` on, at most `maxRecords` and about `maxBytes` of file. */
  read(from: number, maxRecords: number, maxBytes: number): R[] {
    const records: R[] = [];
    let offset = this.index.findLast((entry) => entry.seq <= from)?.offset ?? 0;
    let taken = 0;
    for (const { record, bytes } of this.records(offset)) {
      offset += bytes;
      if (record.seq < from) continue;
      if (records.length > 0 && taken + bytes > maxBytes) break;
      records.push(record);
      taken += bytes;
      if (records.length >= maxRecords || taken >= maxBytes) break;
    }
    return records;
  }

  /** Resolves when every record produced so far is on the disk; gives the number after the last of them. */
  async sync(): Promise<number> {
    if (this.synced === this.nextSeq) return this.synced;
    const upTo = this.nextSeq;
    await new Promise<void>((resolve, reject) => {
      fdatasync(this.fd, (error) => (error === null ? resolve() : reject(error)));
    });
    this.synced = Math.max(this.synced, upTo);
    return upTo;
  }

  close(): void {
    closeSync(this.fd);
  }

  private recover(): void {
    let offset = 0;
    for (const { record, bytes } of this.records(0)) {
      if (record.seq < this.nextSeq) break;
      this.note(record.seq, offset);
      this.nextSeq = record.seq + 1;
      offset += bytes;
    }
    if (fstatSync(this.fd).size > offset) ftruncateSync(this.fd, offset);
    this.sizeBytes = offset;
    this.synced = 0;
  }

  private note(seq: number, offset: number): void {
    if (this.sinceIndexed >= INDEX_EVERY) {
      this.index.push({ seq, offset });
      this.sinceIndexed = 0;
    }
    this.sinceIndexed += 1;
  }

  /** Records from a byte position on; ends at the first thing that is no whole record. */
  private *records(start: number): Generator<{ record: R; bytes: number }> {
    let position = start;
    let rest = Buffer.alloc(0);
    const chunk = Buffer.alloc(READ_BYTES);
    for (;;) {
      const count = readSync(this.fd, chunk, 0, READ_BYTES, position);
      if (count === 0) return;
      position += count;
      rest = Buffer.concat([rest, chunk.subarray(0, count)]);
      let from = 0;
      for (;;) {
        const end = rest.indexOf(0x0a, from);
        if (end === -1) break;
        const record = parseRecord(rest.toString('utf8', from, end)) as R | null;
        if (record === null) return;
        yield { record, bytes: end + 1 - from };
        from = end + 1;
      }
      rest = rest.subarray(from);
    }
  }
}

function parseRecord(line: string): SpoolRecord | null {
  try {
    const value = JSON.parse(line) as SpoolRecord | null;
    return value !== null && Number.isInteger(value.seq) ? value : null;
  } catch {
    return null;
  }
}
