import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { LINE_PIECE_MAX, LineSplitter } from '../lines.js';
import type { Console } from '../protocols.js';
import { pause } from '../../timing.js';

const READ_BYTES = 64 * 1024;
/**
 * Between two places that a reader is told of. The lab cuts its records at multiples of the same, so that what was
 * taken after a place is either all there or all gone.
 */
export const PLACE_BYTES = 16 * 1024 * 1024;
const LINE_END = 0x0a;

/**
 * A console that something else records into a growing file. Missing file: waits for it. File got
 * shorter (truncated or replaced): goes on from its start. Held back, it leaves the text in the file.
 *
 * A recorder that bounds its file makes a hole at its start, and writes into `<file>.start` where the
 * text begins, before it does so. What was cut before it was read is reported as a gap that ends with a line.
 */
export function createLogFileConsole(settings: { logFile: string; pollMs?: number }): Console {
  const { logFile, pollMs = 100 } = settings;
  const sizeNow = async (): Promise<number> =>
    stat(logFile).then(
      (found) => found.size,
      () => 0,
    );
  return {
    async follow(from, onLine, { flow, onGap, onPlace } = {}) {
      let offset = from === 'end' ? await sizeNow() : from;
      /** Where the line began that is being read. */
      let lineStart = offset;
      let gapFrom: number | null = null;
      let splitter = new LineSplitter(onLine);
      const stopping = new AbortController();
      const stopped = new Promise<void>((resolve) => {
        stopping.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      const restartAt = (byte: number): void => {
        splitter.end();
        splitter = new LineSplitter(onLine);
        offset = byte;
        lineStart = byte;
      };
      /** After a gap: drops the rest of a line whose beginning is gone. Gives what is left of the block. */
      const afterGap = (block: Buffer, start: number): Buffer => {
        if (gapFrom === null) return block;
        const end = block.indexOf(LINE_END);
        if (end === -1) return block.subarray(block.length);
        onGap?.({ fromBytes: gapFrom, toBytes: start + end + 1 });
        gapFrom = null;
        lineStart = start + end + 1;
        onPlace?.(lineStart);
        return block.subarray(end + 1);
      };
      const take = (block: Buffer): void => {
        const start = offset;
        offset += block.length;
        const rest = afterGap(block, start);
        const end = rest.lastIndexOf(LINE_END);
        if (end !== -1) lineStart = offset - rest.length + end + 1;
        splitter.push(rest);
        // In the middle of a line of which pieces were handed out already there is no place.
        if (offset % PLACE_BYTES === 0 && gapFrom === null && offset - lineStart < LINE_PIECE_MAX) onPlace?.(lineStart);
      };
      /** Reads one block, never across a place. False at the end of the file. */
      const readBlock = async (file: FileHandle): Promise<boolean> => {
        const length = Math.min(READ_BYTES, PLACE_BYTES - (offset % PLACE_BYTES));
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
        if (bytesRead === 0) return false;
        // Asked after the bytes were read: the recorder says first where the text begins, then cuts.
        const start = await startOf(logFile);
        if (start > offset) {
          const missingFrom = gapFrom ?? offset;
          restartAt(start);
          gapFrom = missingFrom;
        } else {
          take(buffer.subarray(0, bytesRead));
        }
        return true;
      };
      const drain = async (): Promise<void> => {
        const size = await sizeNow();
        if (size < offset) {
          restartAt(0);
          onPlace?.(0);
        }
        if (size <= offset) return;
        const file = await open(logFile);
        try {
          while (await readBlock(file)) {
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
          await drain().catch(() => undefined);
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
          await drain().catch(() => undefined);
          if (gapFrom !== null) onGap?.({ fromBytes: gapFrom, toBytes: offset });
          splitter.end();
        },
      };
    },
  };
}

/** First byte of the record that is still there; 0 when nothing was cut away. */
async function startOf(logFile: string): Promise<number> {
  const start = Number(await readFile(`${logFile}.start`, 'utf8').catch(() => '0'));
  return Number.isSafeInteger(start) && start > 0 ? start : 0;
}
