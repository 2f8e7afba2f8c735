import { open, stat } from 'node:fs/promises';
import { pause } from '../../timing.js';
import { LineSplitter } from '../lines.js';
import type { Console, ConsoleFollower, ConsoleHandlers } from '../protocols.js';

const READ_BYTES = 64 * 1024;
/** Longest rest between two full chunks, in ms. */
const REST_MAX_MS = 50;
/** Bytes that are still read after the end; beyond them lines are only counted, or a flood would never end. */
export const LAST_BYTES = 16 * 1024 * 1024;

/**
 * A console that something else records into a growing file. Missing file: waits for it. File got
 * shorter (truncated or replaced): goes on from its start. Held back, it leaves the text in the file.
 * A console that prints without end takes at most half of this process: after each full chunk the reader
 * rests for as long as the chunk took.
 */
export function createLogFileConsole({ logFile, pollMs = 100 }: { logFile: string; pollMs?: number }): Console {
  return {
    async follow(from, handlers) {
      const offset = from === 'end' ? await sizeOf(logFile) : from;
      return new LogFileFollower(logFile, pollMs, offset, handlers);
    },
  };
}

class LogFileFollower implements ConsoleFollower {
  private readonly splitter: LineSplitter;
  private readonly stopping = new AbortController();
  private readonly stopped: Promise<void>;
  private readonly following: Promise<void>;
  private isBroken = false;

  constructor(
    private readonly logFile: string,
    private readonly pollMs: number,
    private offset: number,
    private readonly handlers: ConsoleHandlers,
  ) {
    this.splitter = new LineSplitter((line, continues) => handlers.onLine(line, continues));
    this.stopped = new Promise((resolve) => {
      this.stopping.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.following = this.follow();
  }

  get offsetBytes(): number {
    return this.offset;
  }

  get partial(): string {
    return this.splitter.partial;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.following;
    const size = await sizeOf(this.logFile);
    await this.drain(Math.min(size, this.offset + LAST_BYTES), () => true).catch(() => undefined);
    this.guarded(() => this.splitter.end());
    if (this.isBroken || size <= this.offset) return;
    const lines = await countLines(this.logFile, this.offset, size).catch(() => 0);
    const skipped = { lines: Math.max(1, lines), bytes: size - this.offset };
    this.guarded(() => this.handlers.onSkipped?.(skipped));
  }

  private async follow(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      // A file that vanishes between stat and open is there again, or not, at the next look.
      await this.drain(await sizeOf(this.logFile), () => !signal.aborted).catch(() => undefined);
      await pause(this.pollMs, signal).catch(() => undefined);
    }
  }

  /** Hands out what is there, up to `endBytes` of the file, while `goesOn`. */
  private async drain(endBytes: number, goesOn: () => boolean): Promise<void> {
    if (endBytes < this.offset) this.offset = 0;
    if (endBytes <= this.offset) return;
    const file = await open(this.logFile);
    try {
      while (this.offset < endBytes && !this.isBroken && goesOn()) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, this.offset);
        if (bytesRead === 0) break;
        this.offset += bytesRead;
        const startedAt = performance.now();
        this.guarded(() => this.splitter.push(buffer.subarray(0, bytesRead)));
        if (bytesRead === READ_BYTES) await this.rest(performance.now() - startedAt);
        const wait = this.handlers.flow?.wait() ?? null;
        if (wait !== null) await Promise.race([wait, this.stopped]);
      }
    } finally {
      await file.close();
    }
  }

  private async rest(spentMs: number): Promise<void> {
    const { signal } = this.stopping;
    if (!signal.aborted) await pause(Math.min(REST_MAX_MS, spentMs), signal).catch(() => undefined);
  }

  /** What throws while a line is taken ends the following, and is told once. */
  private guarded(act: () => void): void {
    if (this.isBroken) return;
    try {
      act();
    } catch (error) {
      this.isBroken = true;
      this.stopping.abort();
      this.handlers.onFault?.(error);
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
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
