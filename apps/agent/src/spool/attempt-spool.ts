import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  AnyStage,
  Assignment,
  AttemptEvent,
  type LogLine,
  type LogStream,
  type SequencedEvent,
  SpoolStream,
  storableLines,
} from '@peerlab/contracts';
import { z } from 'zod';
import { StreamFile } from './stream-file.js';

/** What must be known of an attempt after the agent was killed. */
export const AttemptMemory = z.object({
  assignment: Assignment,
  /** Last stage that was started. */
  stage: AnyStage.nullable(),
  /** The machine may differ from how it was found: it has to be restored. */
  touched: z.boolean(),
  /** The default kernel as seen before anything was done. */
  defaultKernel: z.object({ release: z.string(), buildId: z.string(), bootId: z.string() }).nullable(),
  /** Byte of the console log where the serial stream begins; lines after it are counted from there. */
  serialStartBytes: z.number().int().nonnegative().nullable(),
});
export type AttemptMemory = z.infer<typeof AttemptMemory>;

/** What a spooled stream consists of: lines, or events in the stream `events`. */
export type SpoolEntry = LogLine | SequencedEvent;

const MEMORY_FILE = 'attempt.json';

/** One attempt on disk: what it is, its log streams and its events. */
export class AttemptSpool {
  private readonly files = new Map<SpoolStream, StreamFile<SpoolEntry>>();
  private finishedNoted = false;
  /** Called after every append. */
  onAppend: (stream: SpoolStream) => void = () => undefined;

  private constructor(
    private readonly folder: string,
    private current: AttemptMemory,
  ) {
    for (const stream of SpoolStream.options) {
      if (existsSync(this.path(stream))) this.file(stream);
    }
    this.finishedNoted = this.lastEvent()?.type === 'finished';
  }

  /** Starts the record of a new attempt; the folder must not exist. */
  static create(root: string, assignment: Assignment): AttemptSpool {
    const folder = join(root, assignment.attemptId);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const spool = new AttemptSpool(folder, {
      assignment,
      stage: null,
      touched: false,
      defaultKernel: null,
      serialStartBytes: null,
    });
    spool.remember({});
    return spool;
  }

  /** Every attempt under `root`; a folder without a whole memory was never accepted and is removed. */
  static openAll(root: string): AttemptSpool[] {
    if (!existsSync(root)) return [];
    return readdirSync(root).flatMap((name) => {
      const folder = join(root, name);
      try {
        const memory = AttemptMemory.parse(JSON.parse(readFileSync(join(folder, MEMORY_FILE), 'utf8')));
        return [new AttemptSpool(folder, memory)];
      } catch {
        rmSync(folder, { recursive: true, force: true });
        return [];
      }
    });
  }

  get attemptId(): string {
    return this.current.assignment.attemptId;
  }

  get fence(): number {
    return this.current.assignment.fence;
  }

  get memory(): Readonly<AttemptMemory> {
    return this.current;
  }

  /** The last event is `finished`: nothing may be added any more. */
  get finished(): boolean {
    return this.finishedNoted;
  }

  /** Durable when it returns. */
  remember(change: Partial<AttemptMemory>): void {
    this.current = { ...this.current, ...change };
    const path = join(this.folder, MEMORY_FILE);
    const fd = openSync(`${path}.new`, 'w', 0o600);
    writeSync(fd, JSON.stringify(this.current));
    fsyncSync(fd);
    closeSync(fd);
    renameSync(`${path}.new`, path);
  }

  /** Adds one line of text (split when too long); returns the sequence of its first part. */
  appendLine(stream: LogStream, text: string, at = Date.now()): number {
    const seq = this.file(stream).append(storableLines(text).map((part) => ({ at, text: part })));
    this.onAppend(stream);
    return seq;
  }

  appendEvent(event: AttemptEvent, at = Date.now()): number {
    const seq = this.file('events').append([{ at, event: AttemptEvent.parse(event) }]);
    if (event.type === 'finished') this.finishedNoted = true;
    this.onAppend('events');
    return seq;
  }

  /** Entries produced so far, for streams that have any. */
  nextSeq(): Partial<Record<SpoolStream, number>> {
    return Object.fromEntries(
      [...this.files].filter(([, file]) => file.next > 0).map(([name, file]) => [name, file.next]),
    );
  }

  /** Lines produced by log stream. */
  lineCounts(): Partial<Record<LogStream, number>> {
    const { events: _events, ...lines } = this.nextSeq();
    return lines;
  }

  streams(): SpoolStream[] {
    return [...this.files.keys()];
  }

  file(stream: SpoolStream): StreamFile<SpoolEntry> {
    let file = this.files.get(stream);
    if (file === undefined) {
      file = new StreamFile(this.path(stream));
      this.files.set(stream, file);
    }
    return file;
  }

  /** Forgets everything, on disk too. */
  remove(): void {
    for (const file of this.files.values()) file.close();
    this.files.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Closes the files and leaves them for a later start. */
  close(): void {
    for (const file of this.files.values()) file.close();
    this.files.clear();
  }

  private path(stream: SpoolStream): string {
    return join(this.folder, `${stream}.jsonl`);
  }

  private lastEvent(): AttemptEvent | null {
    const events = this.files.get('events');
    if (events === undefined || events.next === 0) return null;
    const last = events.read(events.next - 1, 1, 1)[0];
    return last !== undefined && 'event' in last ? last.event : null;
  }
}
