import { type FileHandle, open, stat } from 'node:fs/promises';
import { pause } from '../../timing.js';
import { LineSplitter } from '../lines.js';
import type { Console } from '../protocols.js';

const READ_BYTES = 64 * 1024;
/** Longest rest between two full chunks, in ms. */
const REST_MAX_MS = 50;
/** Bytes that are still read after the end; beyond them lines are only counted, or a flood would never end. */
const LAST_BYTES = 16 * 1024 * 1024;

/**
 * A console that something else records into a growing file. Missing file: waits for it. File got
 * shorter (truncated or replaced): goes on from its start. Held back, it leaves the text in the file.
 * A console that prints without end takes at most half of this process: after each full chunk the reader
 * rests for as long as the chunk took.
 */
export function createLogFileConsole(settings: { logFile: string; pollMs?: number }): Console {
  const pollMs = settings.pollMs ?? 100;
  return {
    async follow(from, { onLine, onSkipped, onFault, flow }) {
      const sizeNow = async (): Promise<number> =>
        stat(settings.logFile).then(
          (found) => found.size,
          () => 0,
        );
      let offset = from === 'end' ? await sizeNow() : from;
      let isBroken = false;
      const splitter = new LineSplitter(onLine);
      const guarded = (act: () => void): void => {
        if (isBroken) return;
        try {
          act();
        } catch (error) {
          isBroken = true;
          stopping.abort();
          onFault?.(error);
        }
      };
      const stopping = new AbortController();
      const stopped = new Promise<void>((resolve) => {
        stopping.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      const rest = async (spentMs: number): Promise<void> => {
        if (stopping.signal.aborted) return;
        await pause(Math.min(REST_MAX_MS, spentMs), stopping.signal).catch(() => undefined);
      };
      /** Hands out what is there, up to `endBytes` of the file, while `goesOn`. */
      const drain = async (endBytes: number, goesOn: () => boolean): Promise<void> => {
        if (endBytes < offset) offset = 0;
        if (endBytes <= offset) return;
        const file = await open(settings.logFile);
        try {
          while (offset < endBytes && !isBroken && goesOn()) {
            const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, offset);
            if (bytesRead === 0) break;
            offset += bytesRead;
            const startedAt = performance.now();
            guarded(() => splitter.push(buffer.subarray(0, bytesRead)));
            if (bytesRead === READ_BYTES) await rest(performance.now() - startedAt);
            const wait = flow?.wait() ?? null;
            if (wait !== null) await Promise.race([wait, stopped]);
          }
        } finally {
          await file.close();
        }
      };
      const following = (async () => {
        while (!stopping.signal.aborted) {
          // A file that vanishes between stat and open is there again, or not, at the next look.
          await drain(await sizeNow(), () => !stopping.signal.aborted).catch(() => undefined);
          await pause(pollMs, stopping.signal).catch(() => undefined);
        }
      })();
      return {
        get offsetBytes() {
          return offset;
        },
        get partial() {
          return splitter.partial;
        },
        async stop() {
          stopping.abort();
          await following;
          const size = await sizeNow();
          await drain(Math.min(size, offset + LAST_BYTES), () => true).catch(() => undefined);
          guarded(() => splitter.end());
          if (isBroken || size <= offset) return;
          const lines = await countLines(settings.logFile, offset, size).catch(() => 0);
          guarded(() => onSkipped?.({ lines: Math.max(1, lines), bytes: size - offset }));
        },
      };
    },
  };
}

/** Line ends between two positions of a file. */
async function countLines(path: string, from: number, to: number): Promise<number> {
  const file: FileHandle = await open(path);
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
