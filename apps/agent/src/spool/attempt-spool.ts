import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  AnyStage,
  Assignment,
  type AttemptEvent,
  type GapReason,
  type LogLine,
  type LogStream,
  type SequencedEvent,
  SOLE_ROLE,
  SpoolStream,
  storableLines,
} from '@peerlab/contracts';
import { isAbsent, log } from '@peerlab/runtime';
import { z } from 'zod';
import { fitEvent } from './fit-event.js';
import { Gaps, lostLine } from './gaps.js';
import { replaceFile } from './segment.js';
import { SpoolDisk, SpoolFault } from './spool-disk.js';
import { StreamFile } from './stream-file.js';

/** Agents of protocol 3 and earlier wrote no participant: attempts had one, which was named like them. */
function withParticipant(assignment: unknown): unknown {
  if (typeof assignment !== 'object' || assignment === null || 'participantId' in assignment) return assignment;
  const attemptId = 'attemptId' in assignment ? assignment.attemptId : undefined;
  return { ...assignment, participantId: attemptId, role: SOLE_ROLE, peers: [] };
}

/** What must be known of a participant after the agent was killed. */
const AttemptRecord = z.object({
  assignment: z.preprocess(withParticipant, Assignment),
  /** Last stage that was started. */
  stage: AnyStage.nullable(),
  /** The machine may differ from how it was found: it has to be restored. */
  touched: z.boolean(),
  /** The default kernel as seen before anything was done. */
  defaultKernel: z.object({ release: z.string(), buildId: z.string(), bootId: z.string() }).nullable(),
  /** A byte of the console log between two lines of the serial stream; lines after it are counted from there. */
  serialStartBytes: z.number().int().nonnegative().nullable(),
  /** Lines of the serial stream before that byte. */
  serialStartLines: z.number().int().nonnegative().default(0),
  /** PCI functions as seen before anything was done; null = not read, or by an older agent. */
  hardware: z.array(z.string()).nullable().default(null),
  /** What crashes had left in the firmware before, as `listPstore` has it; null = not looked at. */
  pstore: z.array(z.string()).nullable().default(null),
  /** Logs of crashes that kdump had saved before; null = not looked at, or by an older agent. */
  dumps: z.array(z.string()).nullable().default(null),
  /** Command line that was installed for the candidate; null = none was, or by an older agent. */
  commandLine: z.string().nullable().default(null),
});
type AttemptRecord = z.infer<typeof AttemptRecord>;

/** What a spooled stream consists of: lines, or events in the stream `events`. */
type SpoolEntry = LogLine | SequencedEvent;

const RECORD_FILE = 'attempt.json';
/** Bytes kept back on the disk for the end of the attempt: given up when the disk is full. */
const RESERVE_FILE = 'reserve';
const RESERVE_BYTES = 128 * 1024;
/** Between tries to write down what a full disk refused. */
const RETRY_MS = 500;

/**
 * One participant on disk: what it is, its log streams and its events. When the space of the agent or the
 * disk is used up, lines are left out and counted, and the count is written in their place as soon
 * as there is room; events are kept in memory until then. No append fails.
 */
export class AttemptSpool {
  readonly #files = new Map<SpoolStream, StreamFile<SpoolEntry>>();
  readonly #gaps = new Gaps();
  /** Events that the disk did not take yet, in order. */
  readonly #backlog: { at: number; event: AttemptEvent }[] = [];
  #finishedNoted = false;
  #faulted = false;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;
  /** Called after every append. */
  onAppend: (stream: SpoolStream) => void = () => undefined;
  /** Called once, when the disk refuses a write for the first time. */
  onFault: (fault: SpoolFault) => void = () => undefined;

  readonly #folder: string;
  #current: AttemptRecord;
  readonly #disk: SpoolDisk;

  private constructor(folder: string, current: AttemptRecord, disk: SpoolDisk) {
    this.#folder = folder;
    this.#current = current;
    this.#disk = disk;
    for (const stream of SpoolStream.options) {
      if (StreamFile.exists(this.#path(stream))) this.file(stream);
    }
    this.#finishedNoted = this.#lastEvent()?.type === 'finished';
  }

  /** Starts the record of a new attempt. Throws SpoolFault, and then leaves nothing behind. */
  static create(root: string, assignment: Assignment, disk = new SpoolDisk()): AttemptSpool {
    const folder = join(root, assignment.participantId);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeReserve(join(folder, RESERVE_FILE), disk);
      const record = {
        assignment,
        stage: null,
        touched: false,
        defaultKernel: null,
        serialStartBytes: null,
        serialStartLines: 0,
        hardware: null,
        pstore: null,
        dumps: null,
        commandLine: null,
      };
      replaceFile(join(folder, RECORD_FILE), JSON.stringify(record));
      return new AttemptSpool(folder, record, disk);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error instanceof SpoolFault ? error : new SpoolFault(error);
    }
  }

  /**
   * Opens every attempt under `root`. A folder without an attempt's record was never accepted and is removed. One that
   * cannot be read, or is damaged, is logged and not changed: it holds evidence that a person may still save.
   */
  static openAll(root: string, disk = new SpoolDisk()): AttemptSpool[] {
    return namesIn(root).flatMap((name) => {
      const folder = join(root, name);
      try {
        const record = readRecord(folder);
        if (record === null) {
          rmSync(folder, { recursive: true, force: true });
          return [];
        }
        const spool = new AttemptSpool(folder, record, disk);
        if (existsSync(join(folder, RESERVE_FILE))) disk.grow(RESERVE_BYTES);
        return [spool];
      } catch (error) {
        log.error({ folder, err: error, remedy: 'make it readable and restart the agent' }, 'spool-unreadable');
        return [];
      }
    });
  }

  get participantId(): string {
    return this.#current.assignment.participantId;
  }

  get fence(): number {
    return this.#current.assignment.fence;
  }

  get record(): Readonly<AttemptRecord> {
    return this.#current;
  }

  /** `finished` was appended: nothing may be added any more. */
  get finished(): boolean {
    return this.#finishedNoted;
  }

  /** Nothing waits in memory for room on the disk. */
  get settled(): boolean {
    return this.#backlog.length === 0 && this.#gaps.streams().length === 0;
  }

  /** What readers of consoles and suites ask before they read on. */
  get backpressure(): SpoolDisk {
    return this.#disk;
  }

  /**
   * Durable when it returns. Throws SpoolFault when the disk refuses; a change of the stage alone is
   * then kept in memory, because the way back to the default kernel must not end there.
   */
  updateRecord(change: Partial<AttemptRecord>): void {
    this.#current = { ...this.#current, ...change };
    const write = (): void => replaceFile(join(this.#folder, RECORD_FILE), JSON.stringify(this.#current));
    try {
      this.#withReserve(write);
    } catch (error) {
      if (!(error instanceof SpoolFault)) throw error;
      this.#report(error);
      if (Object.keys(change).some((key) => key !== 'stage')) throw error;
    }
  }

  /**
   * Adds one line of text, split when too long; `continues` says that it goes on where the line before
   * ended. Returns the number of its first part, or of the gap that stands for it. Never throws.
   */
  appendLine(stream: LogStream, text: string, at = Date.now(), continues = false): number {
    const parts = storableLines(text).map((part, index): Omit<LogLine, 'seq'> => {
      const line = { at, text: part };
      return continues || index > 0 ? { ...line, continues: true } : line;
    });
    const bytes = Buffer.byteLength(text);
    const isBulk = stream !== 'agent';
    if (!(isBulk ? this.#disk.takesBulk(bytes) : this.#disk.takesNote(bytes))) {
      return this.leaveOut(stream, { lines: 1, bytes, reason: 'spool-full' });
    }
    try {
      const write = (): number => this.#appendParts(stream, parts);
      const seq = isBulk ? write() : this.#withReserve(write);
      this.onAppend(stream);
      return seq;
    } catch (error) {
      if (!(error instanceof SpoolFault)) throw error;
      this.#report(error);
      return this.leaveOut(stream, { lines: 1, bytes, reason: error.reason });
    }
  }

  /** Counts lines that are not in the stream; returns the number of the record that will say so. */
  leaveOut(stream: LogStream, gap: { lines: number; bytes: number; reason: GapReason }): number {
    this.#gaps.add(stream, gap, Date.now());
    this.#retryLater();
    return (this.#files.get(stream)?.next ?? 0) + this.#gaps.of(stream).length - 1;
  }

  /** Texts and lists that are too long for a frame are cut. Returns the event's number, or where it will stand once the disk takes it. */
  appendEvent(event: AttemptEvent, at = Date.now()): number {
    this.#backlog.push({ at, event: fitEvent(event) });
    if (event.type === 'finished') this.#finishedNoted = true;
    const seq = this.file('events').next + this.#backlog.length - 1;
    this.#settle();
    return seq;
  }

  /** Entries produced so far, for streams that have any. */
  nextSeq(): Partial<Record<SpoolStream, number>> {
    return Object.fromEntries(
      [...this.#files].filter(([, file]) => file.next > 0).map(([name, file]) => [name, file.next]),
    );
  }

  /** Lines produced by log stream, with those that stand for gaps. */
  lineCounts(): Partial<Record<LogStream, number>> {
    this.#settle();
    const { events: _events, ...lines } = this.nextSeq();
    for (const stream of this.#gaps.streams()) lines[stream] = (lines[stream] ?? 0) + this.#gaps.of(stream).length;
    return lines;
  }

  /** Number of the entry that comes next. */
  nextOf(stream: SpoolStream): number {
    return this.#files.get(stream)?.next ?? 0;
  }

  /** Lines that were taken from a source so far, whole or left out: what a restarted reader has to skip. */
  taken(stream: LogStream): number {
    return this.#files.get(stream)?.units ?? 0;
  }

  streams(): SpoolStream[] {
    return [...this.#files.keys()];
  }

  file(stream: SpoolStream): StreamFile<SpoolEntry> {
    let file = this.#files.get(stream);
    if (file === undefined) {
      const options = stream === 'events' ? { segmentBytes: Infinity } : { lost: lostLine, unitsOf: linesOf };
      file = new StreamFile<SpoolEntry>(this.#path(stream), { disk: this.#disk, ...options });
      this.#files.set(stream, file);
    }
    return file;
  }

  /** The controller holds everything below `next`. Events stay until the end: the last one says how it ended. */
  acknowledged(stream: SpoolStream, next: number): void {
    if (stream !== 'events') this.#files.get(stream)?.release(next);
  }

  /** Forgets everything, on disk too. */
  remove(): void {
    const files = [...this.#files.values()];
    this.close();
    for (const file of files) file.remove();
    this.#giveUpReserve();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Closes the files and leaves them for a later start. */
  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  #path(stream: SpoolStream): string {
    return join(this.#folder, stream);
  }

  #lastEvent(): AttemptEvent | null {
    const events = this.#files.get('events');
    if (events === undefined || events.next === 0) return null;
    const last = events.read(events.next - 1, 1, 1)[0];
    return last !== undefined && 'event' in last ? last.event : null;
  }

  /** A line behind what was left out before it. Throws SpoolFault. */
  #appendParts(stream: LogStream, parts: readonly Omit<LogLine, 'seq'>[]): number {
    this.#appendGaps(stream);
    return this.file(stream).append(parts);
  }

  #appendGaps(stream: LogStream): void {
    const gaps = this.#gaps.of(stream);
    if (gaps.length === 0) return;
    this.file(stream).append(gaps);
    this.#gaps.written(stream);
    this.onAppend(stream);
  }

  /** Writes down what waits in memory, as far as there is room: `finished` comes last of all. */
  #settle(): void {
    if (this.#closed) return;
    try {
      this.#withReserve(() => this.#appendBacklog());
      // A gap that still grows is written once, when it ends.
      if (this.#finishedNoted || this.#disk.takesBulk(0)) {
        for (const stream of this.#gaps.streams()) this.#withReserve(() => this.#appendGaps(stream));
      }
      this.#withReserve(() => this.#appendBacklog());
    } catch (error) {
      if (!(error instanceof SpoolFault)) throw error;
      this.#report(error);
    }
    this.#retryLater();
  }

  #appendBacklog(): void {
    for (let next = this.#backlog[0]; next !== undefined; next = this.#backlog[0]) {
      if (next.event.type === 'finished' && this.#gaps.streams().length > 0) return;
      this.file('events').append([next]);
      this.#backlog.shift();
      this.onAppend('events');
    }
  }

  #retryLater(): void {
    if (this.settled || this.#closed || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      try {
        this.#settle();
      } catch (error) {
        // Out of a timer it would end the process.
        this.#report(new SpoolFault(error));
        this.#retryLater();
      }
    }, RETRY_MS);
    this.#retry.unref();
  }

  /** Tries a write again with the bytes that were kept back for it. */
  #withReserve<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (!(error instanceof SpoolFault) || !this.#giveUpReserve()) throw error;
      this.#report(error);
      return write();
    }
  }

  #giveUpReserve(): boolean {
    const path = join(this.#folder, RESERVE_FILE);
    if (!existsSync(path)) return false;
    rmSync(path);
    this.#disk.shrink(RESERVE_BYTES);
    return true;
  }

  #report(fault: SpoolFault): void {
    if (this.#faulted) return;
    this.#faulted = true;
    this.onFault(fault);
  }
}

/** What is remembered of an attempt; null when nothing was ever stored. */
function readRecord(folder: string): AttemptRecord | null {
  let text: string;
  try {
    text = readFileSync(join(folder, RECORD_FILE), 'utf8');
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
  return AttemptRecord.parse(JSON.parse(text));
}

/** Names in a folder; none when there is no folder. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Real bytes: a file system may store zeros for nothing. Throws SpoolFault. */
function writeReserve(path: string, disk: SpoolDisk): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    const { fault } = disk.append(fd, randomBytes(RESERVE_BYTES));
    if (fault !== null) throw fault;
  } finally {
    closeSync(fd);
  }
  disk.grow(RESERVE_BYTES);
}

/** Lines of a source that an append stands for. What a kernel dropped before its console got it was in no source. */
function linesOf(records: readonly SpoolEntry[]): number {
  const gaps = records.flatMap((record) => ('gap' in record && record.gap !== undefined ? [record.gap] : []));
  const ofSource = gaps.filter(({ reason }) => reason !== 'printk-dropped');
  if (ofSource.length === 0 && gaps.length > 0) return 0;
  return ofSource.reduce((sum, { lines }) => sum + lines, 0) || 1;
}
