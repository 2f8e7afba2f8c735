import { existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isAbsent } from '@peerlab/runtime';
import { Segment, type SpoolRecord } from './segment.js';
import { SpoolDisk, SpoolFault } from './spool-disk.js';

export type { SpoolRecord } from './segment.js';

type Unnumbered<R> = R extends SpoolRecord ? Omit<R, 'seq'> : never;

interface StreamFileOptions<R> {
  disk?: SpoolDisk;
  /** Bytes after which a new segment is begun; by default the disk's. */
  segmentBytes?: number;
  /** What stands for a record that is not there any more; without it such a record cannot be read. */
  lost?: (seq: number) => R;
  /** How much of its source an append stands for; by default 1. */
  unitsOf?: (records: readonly R[]) => number;
}

/** Acknowledged bytes for which it is worth to begin a new segment and delete the old one. */
const WORTH_RELEASING = 1 / 8;

/**
 * A stream of numbered records in segment files `NAME.FIRST.jsonl`. Appends are synchronous, so a
 * record that was produced survives `kill -9` of this process; one that was cut off by the end of
 * the process gives its number to the next, which is right as long as only synced records leave the
 * machine: call `sync` before sending. `release` deletes what the receiver holds.
 */
export class StreamFile<R extends SpoolRecord> {
  /** The last one is appended to. */
  readonly #segments: Segment<R>[] = [];
  readonly #disk: SpoolDisk;
  readonly #segmentBytes: number;
  #nextSeq = 0;
  #synced = 0;
  #releasedTo = 0;

  readonly #path: string;
  readonly #options: StreamFileOptions<R>;

  /** `path` is the common part of the segments' names; nothing is made before the first append. */
  constructor(path: string, options: StreamFileOptions<R> = {}) {
    this.#path = path;
    this.#options = options;
    this.#disk = options.disk ?? new SpoolDisk();
    this.#segmentBytes = options.segmentBytes ?? this.#disk.segmentBytes;
    this.#open();
  }

  /** Whether any segment of the stream is on the disk. */
  static exists(path: string): boolean {
    return existsSync(`${path}.jsonl`) || namesOf(path).length > 0;
  }

  /** Number of the record that comes next. */
  get next(): number {
    return this.#nextSeq;
  }

  /** Number of the oldest record that is still there. */
  get first(): number {
    return this.#segments[0]?.firstSeq ?? this.#nextSeq;
  }

  /** What all appends so far stand for, deleted ones too: what a restarted producer has to leave out. */
  get units(): number {
    return this.#newest()?.units ?? 0;
  }

  /**
   * Appends records, all of them or, after a crash, none; they get the next numbers. Returns the first
   * of them. Throws SpoolFault, and then nothing was appended.
   */
  append(records: readonly Unnumbered<R>[]): number {
    const first = this.#nextSeq;
    const numbered = records.map((record, index) => ({ seq: first + index, ...record }) as unknown as R);
    this.#writable().append(numbered, this.#unitsOf(numbered));
    this.#nextSeq += records.length;
    return first;
  }

  /** Goes on with number `seq`: the receiver holds everything below it. */
  skipTo(seq: number): void {
    if (seq > this.#nextSeq) this.#nextSeq = seq;
  }

  /** Records from number `from` on, at most `maxRecords` and about `maxBytes` of file, at least one. */
  read(from: number, maxRecords: number, maxBytes: number): R[] {
    const records: R[] = [];
    let taken = 0;
    for (let next = from; next < this.#nextSeq && records.length < maxRecords; ) {
      const at = this.#segments.findLastIndex(({ firstSeq }) => firstSeq <= next);
      for (const { record, bytes } of this.#segments[at]?.read(next) ?? []) {
        if (record.seq !== next) break;
        if (records.length > 0 && taken + bytes > maxBytes) return records;
        records.push(record);
        taken += bytes;
        next += 1;
        if (records.length >= maxRecords || taken >= maxBytes) return records;
      }
      if (next >= (this.#segments[at + 1]?.firstSeq ?? this.#nextSeq)) continue;
      const lost = this.#options.lost?.(next);
      if (lost === undefined) throw new Error(`record ${next} of ${this.#path} is lost`);
      records.push(lost);
      next += 1;
    }
    return records;
  }

  /** Resolves when every record produced so far is on the disk; gives the number after the last of them. */
  async sync(): Promise<number> {
    const segment = this.#newest();
    if (segment === null || this.#synced >= this.#nextSeq) return this.#nextSeq;
    const upTo = this.#nextSeq;
    await segment.sync();
    this.#synced = Math.max(this.#synced, upTo);
    return upTo;
  }

  /** The receiver holds everything below `seq`: what consists of such records alone is deleted. */
  release(seq: number): void {
    this.#releasedTo = Math.max(this.#releasedTo, seq);
    while (this.#segments.length > 1 && (this.#segments[1]?.firstSeq ?? Infinity) <= this.#releasedTo) {
      this.#segments.shift()?.remove();
    }
    const last = this.#newest();
    if (this.#segments.length !== 1 || last === null || this.#nextSeq > this.#releasedTo) return;
    if (last.nextSeq === last.firstSeq || last.sizeBytes < this.#segmentBytes * WORTH_RELEASING) return;
    try {
      this.#begin(last.units);
    } catch (error) {
      // On a full disk the old one stays until it can be replaced.
      if (!(error instanceof SpoolFault)) throw error;
      return;
    }
    this.#segments.shift()?.remove();
  }

  /** Deletes everything. */
  remove(): void {
    for (const segment of this.#segments.splice(0)) segment.remove();
  }

  close(): void {
    for (const segment of this.#segments) segment.close();
  }

  #unitsOf(records: readonly R[]): number {
    return this.#options.unitsOf?.(records) ?? 1;
  }

  #newest(): Segment<R> | null {
    return this.#segments.at(-1) ?? null;
  }

  #writable(): Segment<R> {
    const last = this.#newest();
    if (last === null) return this.#begin(0);
    // Numbers within a segment have no gaps.
    if (last.sizeBytes < this.#segmentBytes && last.nextSeq === this.#nextSeq) return last;
    last.seal();
    this.#synced = this.#nextSeq;
    return this.#begin(last.units);
  }

  #begin(units: number): Segment<R> {
    const before = this.#newest();
    const segment = Segment.create<R>(nameOf(this.#path, this.#nextSeq), this.#nextSeq, units, this.#disk);
    before?.close();
    this.#segments.push(segment);
    return segment;
  }

  #open(): void {
    if (existsSync(`${this.#path}.jsonl`)) renameSync(`${this.#path}.jsonl`, nameOf(this.#path, 0));
    const names = namesOf(this.#path);
    for (const [index, { file, firstSeq }] of names.entries()) {
      const isNewest = index === names.length - 1;
      this.#segments.push(
        isNewest
          ? Segment.openNewest<R>(file, firstSeq, this.#disk, (records) => this.#unitsOf(records))
          : Segment.openOlder<R>(file, firstSeq, this.#disk),
      );
    }
    this.#nextSeq = this.#newest()?.nextSeq ?? 0;
  }
}

const DIGITS = 15;

const nameOf = (path: string, seq: number): string => `${path}.${String(seq).padStart(DIGITS, '0')}.jsonl`;

/** Segments of a stream, the oldest first. */
function namesOf(path: string): { file: string; firstSeq: number }[] {
  const folder = dirname(path);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
  return names
    .flatMap((name) => {
      const match = /^(.+)\.(\d+)\.jsonl$/.exec(name);
      return match?.[1] === basename(path) ? [{ file: join(folder, name), firstSeq: Number(match[2]) }] : [];
    })
    .sort((a, b) => a.firstSeq - b.firstSeq);
}
