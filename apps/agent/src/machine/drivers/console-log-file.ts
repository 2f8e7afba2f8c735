import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { orIfAbsent } from '@peerlab/runtime';
import { pause } from '../../timing.js';
import { MachineError } from '../errors.js';
import { LINE_PIECE_MAX, LineSplitter } from '../lines.js';
import type { Console, ConsoleFollower, ConsoleHandlers } from '../protocols.js';
import { z } from 'zod';
import { defineDriver } from '../driver.js';

const READ_BYTES = 64 * 1024;
/** Longest rest between two full chunks, in ms. */
const REST_MAX_MS = 50;
/** Bytes that are still read after the end; beyond them lines are only counted, or a flood would never end. */
export const LAST_BYTES = 16 * 1024 * 1024;
/**
 * Between two places that a reader is told of. The lab cuts its records at multiples of the same, so that what was
 * taken after a place is either all there or all gone.
 */
export const PLACE_BYTES = 16 * 1024 * 1024;
const LINE_END = 0x0a;

/**
 * A console that something else records into a growing file. Missing file: waits for it. File got
 * shorter (truncated or replaced): goes on from its start. A file that cannot be read is a fault, because a
 * console that was not read must not count as silent. Under backpressure the text stays in the file.
 * A console that prints without end takes at most half of this process: after each full chunk the reader
 * rests for as long as the chunk took.
 *
 * A recorder that bounds its file makes a hole at its start, and writes into `<file>.start` where the
 * text begins, before it does so. What was cut before it was read is reported as a gap that ends with a line.
 */
export function createLogFileConsole({ logFile, pollMs = 100 }: { logFile: string; pollMs?: number }): Console {
  return {
    async follow(from, handlers) {
      if (from !== 'end') return new LogFileFollower(logFile, pollMs, from, handlers);
      try {
        return new LogFileFollower(logFile, pollMs, await sizeOf(logFile), handlers);
      } catch (error) {
        handlers.onFault?.(unreadable(logFile, error));
        return { offsetBytes: 0, partial: '', stop: async () => undefined };
      }
    },
  };
}

class LogFileFollower implements ConsoleFollower {
  #splitter: LineSplitter;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<void>;
  readonly #following: Promise<void>;
  #isBroken = false;
  /** Where the line begins that is being read. */
  #lineStart: number;
  /** Where a gap begins whose end was not found yet. */
  #gapFrom: number | null = null;

  readonly #logFile: string;
  readonly #pollMs: number;
  #offset: number;
  readonly #handlers: ConsoleHandlers;

  constructor(logFile: string, pollMs: number, offset: number, handlers: ConsoleHandlers) {
    this.#logFile = logFile;
    this.#pollMs = pollMs;
    this.#offset = offset;
    this.#handlers = handlers;
    this.#lineStart = offset;
    this.#splitter = this.#newSplitter();
    this.#stopped = new Promise((resolve) => {
      this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#following = this.#follow();
  }

  get offsetBytes(): number {
    return this.#offset;
  }

  get partial(): string {
    return this.#splitter.partial;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#following;
    const size = await this.#reading(sizeOf(this.#logFile), 0);
    await this.#reading(
      this.#drain(Math.min(size, this.#offset + LAST_BYTES), () => true),
      undefined,
    );
    this.#guarded(() => {
      if (this.#gapFrom !== null) this.#handlers.onGap?.({ fromBytes: this.#gapFrom, toBytes: this.#offset });
      this.#splitter.end();
    });
    if (this.#isBroken || size <= this.#offset) return;
    const lines = await this.#reading(countLines(this.#logFile, this.#offset, size), 0);
    const skipped = { lines: Math.max(1, lines), bytes: size - this.#offset };
    this.#guarded(() => this.#handlers.onSkipped?.(skipped));
  }

  #newSplitter(): LineSplitter {
    return new LineSplitter((line, continues) => this.#handlers.onLine(line, continues));
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const size = await this.#reading(sizeOf(this.#logFile), this.#offset);
      // A file that vanishes between stat and open is there again, or not, at the next look.
      await this.#reading(
        orIfAbsent(
          this.#drain(size, () => !signal.aborted),
          undefined,
        ),
        undefined,
      );
      await pause(this.#pollMs, signal).catch(() => undefined);
    }
  }

  /** Hands out what is there, up to `endBytes` of the file, while `goesOn`. */
  async #drain(endBytes: number, goesOn: () => boolean): Promise<void> {
    if (endBytes < this.#offset) {
      this.#guarded(() => {
        this.#beginAt(0);
        this.#handlers.onPlace?.(0);
      });
    }
    if (endBytes <= this.#offset) return;
    const file = await open(this.#logFile);
    try {
      while (this.#offset < endBytes && !this.#isBroken && goesOn()) {
        if (!(await this.#readBlock(file))) break;
        const wait = this.#handlers.backpressure?.wait() ?? null;
        if (wait !== null) await Promise.race([wait, this.#stopped]);
      }
    } finally {
      await file.close();
    }
  }

  /** Reads one block, never across a place. False at the end of the file. */
  async #readBlock(file: FileHandle): Promise<boolean> {
    const length = Math.min(READ_BYTES, PLACE_BYTES - (this.#offset % PLACE_BYTES));
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, this.#offset);
    if (bytesRead === 0) return false;
    // Asked after the bytes were read: the recorder first says where the text begins, then cuts.
    const start = await startOf(this.#logFile);
    const startedAt = performance.now();
    if (start > this.#offset) {
      const missingFrom = this.#gapFrom ?? this.#offset;
      this.#guarded(() => this.#beginAt(start));
      this.#gapFrom = missingFrom;
    } else {
      this.#guarded(() => this.#take(buffer.subarray(0, bytesRead)));
    }
    if (bytesRead === READ_BYTES) await this.#rest(performance.now() - startedAt);
    return true;
  }

  /** What was read of a line so far is all that there is of it. */
  #beginAt(offset: number): void {
    this.#splitter.end();
    this.#splitter = this.#newSplitter();
    this.#offset = offset;
    this.#lineStart = offset;
  }

  #take(block: Buffer): void {
    const start = this.#offset;
    this.#offset += block.length;
    const text = this.#afterGap(block, start);
    const end = text.lastIndexOf(LINE_END);
    if (end !== -1) this.#lineStart = this.#offset - text.length + end + 1;
    this.#splitter.push(text);
    // In the middle of a line of which pieces were handed out already there is no place.
    const isPlace = this.#offset % PLACE_BYTES === 0 && this.#gapFrom === null;
    if (isPlace && this.#offset - this.#lineStart < LINE_PIECE_MAX) this.#handlers.onPlace?.(this.#lineStart);
  }

  /** The block without the rest of a line whose beginning is missing. */
  #afterGap(block: Buffer, start: number): Buffer {
    if (this.#gapFrom === null) return block;
    const end = block.indexOf(LINE_END);
    if (end === -1) return block.subarray(block.length);
    const toBytes = start + end + 1;
    this.#handlers.onGap?.({ fromBytes: this.#gapFrom, toBytes });
    this.#gapFrom = null;
    this.#lineStart = toBytes;
    this.#handlers.onPlace?.(toBytes);
    return block.subarray(end + 1);
  }

  async #rest(spentMs: number): Promise<void> {
    const { signal } = this.#stopping;
    if (!signal.aborted) await pause(Math.min(REST_MAX_MS, spentMs), signal).catch(() => undefined);
  }

  /** What throws while a line is taken ends the following, and is told once. */
  #guarded(act: () => void): void {
    if (this.#isBroken) return;
    try {
      act();
    } catch (error) {
      this.#break(error);
    }
  }

  /** The result of reading the file, or `instead` when that fails, which ends the following and is told once. */
  async #reading<T>(result: Promise<T>, instead: T): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if (!this.#isBroken) this.#break(unreadable(this.#logFile, error));
      return instead;
    }
  }

  #break(fault: unknown): void {
    this.#isBroken = true;
    this.#stopping.abort();
    this.#handlers.onFault?.(fault);
  }
}

/** First byte of the record that is still there; 0 when nothing was cut away. */
async function startOf(logFile: string): Promise<number> {
  const start = Number(await orIfAbsent(readFile(`${logFile}.start`, 'utf8'), '0'));
  return Number.isSafeInteger(start) && start > 0 ? start : 0;
}

/** Bytes of the file; 0 when it is not there. */
async function sizeOf(path: string): Promise<number> {
  return (await orIfAbsent(stat(path), { size: 0 })).size;
}

function unreadable(logFile: string, error: unknown): MachineError {
  const why = (error as NodeJS.ErrnoException).code ?? String(error);
  return new MachineError(
    'output',
    `${logFile} cannot be read (${why})`,
    'check console.logFile and the permissions of its folder',
    error,
  );
}

/** Line ends between two positions of a file. */
async function countLines(path: string, from: number, to: number): Promise<number> {
  const file = await open(path);
  const chunk = Buffer.alloc(READ_BYTES);
  let lines = 0;
  try {
    for (let position = from; position < to; ) {
      const { bytesRead } = await file.read(chunk, 0, Math.min(READ_BYTES, to - position), position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const read = chunk.subarray(0, bytesRead);
      for (let at = read.indexOf(0x0a); at !== -1; at = read.indexOf(0x0a, at + 1)) lines += 1;
    }
  } finally {
    await file.close();
  }
  return lines;
}

/** A console that something else records: QEMU of the virtual lab, or any program of the lab. */
const recorded = <Name extends 'qemu' | 'file'>(name: Name) =>
  defineDriver({
    schema: z.strictObject({ driver: z.literal(name), logFile: z.string().min(1) }),
    paths: ['logFile'],
    create: (settings) => createLogFileConsole({ logFile: settings.logFile }),
  });
export const qemuConsole = recorded('qemu');
export const fileConsole = recorded('file');
